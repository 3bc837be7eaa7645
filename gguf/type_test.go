package gguf

import (
	"bufio"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"mptgo/internal/check"
)

// TestTypes holds the table against the reference's manifest.
func TestTypes(t *testing.T) {
	file, err := os.Open(check.Shared(t, "testdata", "quants", "manifest.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Scan() // names of the columns
	n := 0
	for ; lines.Scan(); n++ {
		col := strings.Split(lines.Text(), "\t")
		typ, err := ParseType(col[0])
		if err != nil {
			t.Error(err)
			continue
		}
		values, bytes := typ.Block()
		for i, got := range []int{int(typ), values, bytes} {
			if want, err := strconv.Atoi(col[i+1]); err != nil || got != want {
				t.Errorf("%v: column %d is %d, want %s", typ, i+1, got, col[i+1])
			}
		}
	}
	if n < 10 {
		t.Errorf("the manifest has %d types", n)
	}
}

func TestTypeNames(t *testing.T) {
	valid := 0
	for typ := range Type(100) {
		if !typ.Valid() {
			if want := "type(" + strconv.Itoa(int(typ)) + ")"; typ.String() != want {
				t.Errorf("type %d is called %v, want %s", uint32(typ), typ, want)
			}
			continue
		}
		valid++
		if back, err := ParseType(strings.ToLower(typ.String())); back != typ || err != nil {
			t.Errorf("ParseType(%v) = %v, %v", typ, back, err)
		}
	}
	if valid != 35 {
		t.Errorf("%d types, want 35: is the number right for a new type?", valid)
	}
	for typ := range removed {
		if typ.Valid() {
			t.Errorf("%v was removed", typ)
		}
	}
	if typ, err := ParseType("Q4_2"); err == nil {
		t.Errorf("Q4_2 is %v", typ)
	}
}

func TestRowBytes(t *testing.T) {
	for _, c := range []struct {
		t       Type
		n, want int // want < 0: error
	}{
		{F32, 0, 0}, {F32, 3, 12}, {F16, 3, 6}, {Q4_0, 64, 36}, {Q6_K, 512, 420},
		{Q4_0, 31, -1}, {Q4_K, 32, -1}, {F32, -1, -1}, {F32, math.MaxInt, -1}, {Q8_0, math.MaxInt &^ 31, -1},
	} {
		got, err := c.t.RowBytes(c.n)
		if c.want < 0 != (err != nil) || err == nil && got != c.want {
			t.Errorf("%v: %d values take %d bytes, %v; want %d", c.t, c.n, got, err, c.want)
		}
	}
}
