//go:build !wasm

package line

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLayout(t *testing.T) {
	for _, c := range []struct {
		text             string
		pos, columns     int
		endRow, endCol   int
		cursRow, cursCol int
	}{
		{"", 0, 80, 0, 2, 0, 2},
		{"abc", 1, 80, 0, 5, 0, 3},
		{"漢字", 1, 80, 0, 6, 0, 4},
		{"e\u0301x", 2, 80, 0, 4, 0, 3},
		{"👩‍👩‍👧x", 5, 80, 0, 5, 0, 4},
		{"\tx", 1, 80, 0, 7, 0, 6},
		{"abcdef", 6, 8, 1, 0, 1, 0},
		{"abcdef", 5, 8, 0, 0, 0, 7},
		{"abcde漢", 5, 8, 1, 2, 1, 0},
		{"abc", 3, 2, 2, 1, 2, 1},
		{"abc", 0, 1, 5, 0, 2, 0},
		{"漢", 0, 1, 3, 0, 2, 0},
	} {
		_, end, cursor := layout("> ", []rune(c.text), c.pos, c.columns)
		if c.endCol == 0 && c.endRow == 0 {
			c.endRow = 1
		}
		if end.row != c.endRow || end.column != c.endCol || cursor.row != c.cursRow || cursor.column != c.cursCol {
			t.Errorf("%q at %d of %d columns: end %d,%d, cursor %d,%d; want %v", c.text, c.pos, c.columns,
				end.row, end.column, cursor.row, cursor.column, c)
		}
	}
}

func TestWindow(t *testing.T) {
	for _, c := range [][5]int{{0, 0, 1, 0, 0}, {9, 3, 10, 0, 9}, {10, 0, 10, 0, 9}, {10, 10, 10, 1, 10}, {99, 50, 10, 45, 54}, {5, 2, 1, 2, 2}} {
		if top, bottom := window(c[0], c[1], c[2]); top != c[3] || bottom != c[4] {
			t.Errorf("window%v: %d to %d", c, top, bottom)
		}
	}
}

func TestColumns(t *testing.T) {
	if got, want := columns([]string{"a", "漢字", "bc"}, 13), "a     漢字\nbc\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := columns(make([]string, maxWords+7), 80); !strings.HasSuffix(got, "... and 7 more\n") {
		t.Errorf("got %q", got)
	}
}

func TestHistoryFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	old := strings.Repeat("old\nolder\n", maxHistory+10) + "a\x1b[31mb\n\n  \nl1\ufdd1l2\n\xff"
	if err := os.WriteFile(path, []byte(old), 0o640); err != nil {
		t.Fatal(err)
	}
	var h history
	h.open(path)
	if n := len(h.lines); n != maxHistory || string(h.lines[n-2]) != "l1\ufdd1l2" || string(h.lines[n-3]) != "a[31mb" {
		t.Errorf("%d lines, the last %q", n, string(h.lines[n-1]))
	}
	h.add("new")
	h.add("new")
	h.add(" ")
	if err := h.close(); err != nil {
		t.Error(err)
	}
	b, err := os.ReadFile(path)
	if err != nil || strings.Count(string(b), "\n") != maxHistory+1 || !strings.HasSuffix(string(b), "\nl1\ufdd1l2\n\ufffd\nnew\n") {
		t.Errorf("%q, %v", b, err)
	}

	// A new file is for its owner; what is no file is left alone.
	h = history{}
	path = filepath.Join(filepath.Dir(path), "new")
	h.open(path)
	h.close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v, %v", info, err)
	}
	for _, none := range []string{"", os.DevNull, t.TempDir(), filepath.Join(path, "x")} {
		h = history{}
		h.open(none)
		h.add("a")
		if len(h.lines) != 1 || h.file != nil {
			t.Errorf("%q: %q, %v", none, h.lines, h.file)
		}
		h.close()
	}
}
