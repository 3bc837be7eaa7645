package imatrix

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Stats are figures of one entry. Squares are mean squares of a column's input.
type Stats struct {
	Name     string  `json:"tensor"`
	Columns  int     `json:"columns"`
	Rows     int64   `json:"rows"`
	Mean     float64 `json:"mean"` // of the squares
	Min      float64 `json:"min"`
	Max      float64 `json:"max"`
	TopShare float64 `json:"top_share"` // of their sum: the largest hundredth of the columns, at least one
	Zero     int     `json:"zero"`      // columns whose inputs were all 0
	// Entropy of the squares as shares of their sum, divided by that of equal
	// ones: 1 if no column is more important than another.
	Entropy float64 `json:"entropy"`
	// Similarity is the cosine between the squares and those of the same matrix
	// one block before; 0 if there is none.
	Similarity float64 `json:"similarity"`
}

// Stats returns the figures of all entries, by block and name.
func (m *Matrix) Stats() []Stats {
	var all []Stats
	for _, name := range m.Names() {
		s := m.Entries[name].stats()
		s.Name = name
		if before := m.Entries[neighbour(name)]; before != nil {
			s.Similarity = cosine(before.Sum2, m.Entries[name].Sum2)
		}
		all = append(all, s)
	}
	slices.SortStableFunc(all, func(a, b Stats) int { return cmp.Compare(block(a.Name), block(b.Name)) })
	return all
}

func (e *Entry) stats() Stats {
	s := Stats{Columns: len(e.Sum2), Rows: e.Rows}
	x := slices.Clone(e.Sum2)
	slices.Sort(x)
	sum := 0.0
	for _, v := range x {
		sum += v
		if v == 0 {
			s.Zero++
		}
	}
	if rows := float64(e.Rows); rows > 0 {
		s.Min, s.Max, s.Mean = x[0]/rows, x[len(x)-1]/rows, sum/rows/float64(len(x))
	}
	if sum == 0 {
		return s
	}
	for i, v := range x {
		if i >= len(x)-max(len(x)/100, 1) {
			s.TopShare += v / sum
		}
		if v > 0 && len(x) > 1 {
			s.Entropy -= v / sum * math.Log(v/sum) / math.Log(float64(len(x)))
		}
	}
	return s
}

// block returns the number of the block in a name such as blk.3.ffn_up.weight, -1
// for names of other kinds.
func block(name string) int {
	rest, ok := strings.CutPrefix(name, "blk.")
	number, _, _ := strings.Cut(rest, ".")
	if i, err := strconv.Atoi(number); ok && err == nil {
		return i
	}
	return -1
}

// neighbour returns the name of the same matrix one block before.
func neighbour(name string) string {
	i := block(name)
	if i < 1 {
		return ""
	}
	_, part, _ := strings.Cut(strings.TrimPrefix(name, "blk."), ".")
	return "blk." + strconv.Itoa(i-1) + "." + part
}

func cosine(a, b []float64) float64 {
	if len(a) != len(b) {
		return 0
	}
	var ab, aa, bb float64
	for i, v := range a {
		ab += v * b[i]
		aa += v * v
		bb += b[i] * b[i]
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa) / math.Sqrt(bb)
}
