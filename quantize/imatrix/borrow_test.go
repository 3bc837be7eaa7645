package imatrix

import (
	"slices"
	"testing"
)

// TestBorrowProducts: correlations are those of the other text, squares stay in their
// ratios, and what cannot be had is left alone.
func TestBorrowProducts(t *testing.T) {
	m, from := New(8), New(8)
	m.Entries["a"] = &Entry{Sum2: []float64{8, 2, 6}, Rows: 2}
	m.Entries["other size"] = &Entry{Sum2: []float64{1}, Rows: 1}
	m.Entries["none"] = &Entry{Sum2: []float64{1}, Rows: 1}
	own := []float32{7}
	m.Entries["own"] = &Entry{Sum2: []float64{7}, Rows: 1, Products: own, Run: 1}
	from.Entries["a"] = &Entry{Sum2: []float64{1, 4, 0}, Rows: 4, Run: 2, Products: []float32{1, -2, 0, 4, 0, 0}}
	from.Entries["other size"] = &Entry{Sum2: []float64{1, 1}, Rows: 4, Run: 2, Products: make([]float32, 4)}
	from.Entries["own"] = &Entry{Sum2: []float64{1}, Rows: 4, Run: 1, Products: []float32{1}}
	m.BorrowProducts(from)
	a := m.Entries["a"]
	// Means 4, 1, 3 of four inputs; the first two were correlated with -1.
	if want := []float32{16, -8, 0, 4, 12, 0}; !slices.Equal(a.Products, want) || a.Run != 2 {
		t.Errorf("products %v in groups of %d, want %v", a.Products, a.Run, want)
	}
	if want := []float32{4, 1, 3}; !slices.Equal(a.Weights(), want) {
		t.Errorf("weights %v, want %v", a.Weights(), want)
	}
	if m.Entries["other size"].Products != nil || m.Entries["none"].Products != nil || m.Entries["own"].Products[0] != 7 {
		t.Error("an entry was changed that has no counterpart")
	}
}
