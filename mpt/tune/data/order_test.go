package data

import (
	"fmt"
	"slices"
	"testing"
)

// TestOrder: these orders are what a resumed run relies on. They may never change.
func TestOrder(t *testing.T) {
	for _, c := range []struct {
		n           int
		seed, epoch uint64
		want        string
	}{
		{8, 1, 0, "[5 3 1 2 6 7 0 4]"}, {8, 1, 1, "[6 3 2 1 4 5 0 7]"}, {8, 2, 0, "[4 3 6 0 1 2 7 5]"}, {1, 1, 0, "[0]"}, {0, 1, 0, "[]"},
	} {
		if got := fmt.Sprint(Order(c.n, c.seed, c.epoch)); got != c.want {
			t.Errorf("%d rows, seed %d, epoch %d: %s, want %s", c.n, c.seed, c.epoch, got, c.want)
		}
	}
	sorted := Order(1000, 3, 4)
	slices.Sort(sorted)
	if !slices.Equal(sorted, InOrder(1000)) {
		t.Error("not every row once")
	}
}

func TestSplit(t *testing.T) {
	var rows []byte
	for i := range 40 {
		rows = fmt.Appendf(rows, "{\"text\": \"row %d\"}\n", i)
	}
	set := open(t, options(t), write(t, "a.jsonl", rows))
	train, held, err := set.Split(0.1, 7)
	if err != nil || train.Len() != 36 || held.Len() != 4 {
		t.Fatalf("%v, %d and %d rows", err, train.Len(), held.Len())
	}
	again, _, _ := set.Split(0.1, 7)
	other, _, _ := set.Split(0.1, 8)
	if !slices.Equal(train.rows, again.rows) || slices.Equal(train.rows, other.rows) {
		t.Error("the seed does not decide which rows are held back")
	}
	all := slices.Concat(train.rows, held.rows)
	slices.Sort(all)
	if !slices.Equal(all, InOrder(40)) || !slices.IsSorted(train.rows) {
		t.Errorf("not every row once: %v", all)
	}
	a, b := train.Tokens()
	c, d := held.Tokens()
	if a+c != set.Summary.Tokens || b+d != set.Summary.Targets {
		t.Errorf("%d+%d tokens of %d, %d+%d targets of %d", a, c, set.Summary.Tokens, b, d, set.Summary.Targets)
	}
	for _, share := range []float64{0, -1, 1.5, 40, 41} {
		if _, _, err := set.Split(share, 1); err == nil {
			t.Errorf("%v of 40 rows are held back", share)
		}
	}
	if _, held, err := set.Split(39, 1); err != nil || held.Len() != 39 {
		t.Errorf("39 rows: %v", err)
	}
}
