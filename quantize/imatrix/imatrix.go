package imatrix

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// ErrFormat is wrapped by the errors that are the fault of a file.
var ErrFormat = errors.New("not a usable importance matrix")

// Matrix is what was measured of the matrices of a model.
type Matrix struct {
	Entries   map[string]*Entry // by the name of the matrix
	Datasets  []string          // the texts
	Chunks    int               // pieces of text that were read
	ChunkSize int               // tokens in each

	// Origin tells one text, and the way in which it was cut, from another; "" says
	// nothing. Whoever measures chooses it, to know whether a run that was broken off
	// can go on. It is as long as a SHA-256 in hexadecimal digits.
	Origin string

	assumed bool // ChunkSize is a guess: the file does not tell
}

// Entry is what was measured of the inputs of one matrix.
type Entry struct {
	Sum2 []float64 // of the squares, by column
	Rows int64     // how many inputs

	// Products holds the Gram matrices (input correlations) of groups of Run
	// neighbouring columns: for every column Run sums, of the products of its input
	// with those of its group from itself on; 0 before. It is nil if they were not
	// recorded.
	Products []float32
	Run      int
}

// NeedProducts makes room for input correlations in groups of so many columns, 0 for all
// that there are. Those that are recorded already keep their groups.
func (e *Entry) NeedProducts(run int) error {
	if run == 0 || run > len(e.Sum2) {
		run = len(e.Sum2)
	}
	if e.Products == nil {
		e.Products, e.Run = make([]float32, len(e.Sum2)*run), run
	}
	if e.Run != run {
		return fmt.Errorf("input correlations in groups of %d columns, and of %d before", run, e.Run)
	}
	return nil
}

// New returns a matrix without entries for chunks of the given size.
func New(chunkSize int) *Matrix {
	return &Matrix{Entries: map[string]*Entry{}, ChunkSize: chunkSize}
}

// AssumeChunkSize says how large the chunks of a file are that does not tell, which
// decides how much it weighs beside others. Of other files the size stays.
func (m *Matrix) AssumeChunkSize(n int) {
	if !m.assumed || n < 1 {
		return
	}
	for _, e := range m.Entries {
		for i, v := range e.Sum2 {
			e.Sum2[i] = v / float64(m.ChunkSize) * float64(n)
		}
		e.Rows = e.Rows / int64(m.ChunkSize) * int64(n)
	}
	m.ChunkSize = n
}

// KnowsChunkSize reports whether the file told how large its chunks are.
func (m *Matrix) KnowsChunkSize() bool { return !m.assumed }

// Names returns the names of the entries, sorted.
func (m *Matrix) Names() []string { return slices.Sorted(maps.Keys(m.Entries)) }

// Entry returns the entry for a matrix of cols columns, a new one if there is
// none. An entry of another size is an error.
func (m *Matrix) Entry(name string, cols int) (*Entry, error) {
	e := m.Entries[name]
	if e == nil {
		e = &Entry{Sum2: make([]float64, cols)}
		m.Entries[name] = e
	}
	if len(e.Sum2) != cols {
		return nil, fmt.Errorf("imatrix: %s: %d columns, and %d before: of another model?", name, cols, len(e.Sum2))
	}
	return e, nil
}

// HasProducts reports whether input correlations were recorded of any matrix.
func (m *Matrix) HasProducts() bool {
	for _, e := range m.Entries {
		if e.Products != nil {
			return true
		}
	}
	return false
}

// Add adds everything that other has measured. If it fails m is as before.
func (m *Matrix) Add(other *Matrix) error {
	for name, e := range other.Entries {
		if have := m.Entries[name]; have != nil && len(have.Sum2) != len(e.Sum2) {
			return fmt.Errorf("imatrix: %s has %d columns in one file and %d in another: of different models?",
				name, len(have.Sum2), len(e.Sum2))
		}
		if have := m.Entries[name]; have != nil && have.Run != 0 && e.Run != 0 && have.Run != e.Run {
			return fmt.Errorf("imatrix: %s has input correlations in groups of %d columns in one file and of %d in another", name, have.Run, e.Run)
		}
	}
	for name, e := range other.Entries {
		have, _ := m.Entry(name, len(e.Sum2)) // checked
		for i, v := range e.Sum2 {
			have.Sum2[i] += v
		}
		have.Rows += e.Rows
		if e.Products != nil {
			have.NeedProducts(e.Run) // checked, too
		}
		for i, v := range e.Products {
			have.Products[i] += v
		}
	}
	for _, d := range other.Datasets {
		m.AddDataset(d)
	}
	switch {
	case m.Chunks == 0 && m.Origin == "":
		m.Origin = other.Origin
	case other.Chunks > 0:
		m.Origin = "" // of both
	}
	m.Chunks += other.Chunks
	return nil
}

// AddDataset adds the name of a text that is not among the others yet.
func (m *Matrix) AddDataset(name string) {
	if name != "" && !slices.Contains(m.Datasets, name) {
		m.Datasets = append(m.Datasets, name)
	}
}

// Weights returns the mean squares: what the searches for codes take. It returns
// nil if nothing was measured.
func (e *Entry) Weights() []float32 {
	if e.Rows == 0 {
		return nil
	}
	w := make([]float32, len(e.Sum2))
	for i, v := range e.Sum2 {
		w[i] = float32(v / float64(e.Rows))
	}
	return w
}

// check refuses sums that no text can have.
func (e *Entry) check(name string) error {
	for i, v := range e.Sum2 {
		if !(v >= 0 && v <= math.MaxFloat64) {
			return fmt.Errorf("imatrix: %s: column %d: a sum of squares of %v: %w", name, i, v, ErrFormat)
		}
	}
	for i, v := range e.Products {
		if !(v >= -math.MaxFloat32 && v <= math.MaxFloat32) {
			return fmt.Errorf("imatrix: %s: column %d: a sum of products of %v: %w", name, i/e.Run, v, ErrFormat)
		}
	}
	return nil
}

// Check returns an error if a sum is not a number or infinite: a model that
// computes such values cannot be measured.
func (m *Matrix) Check() error {
	for _, name := range m.Names() {
		if err := m.Entries[name].check(name); err != nil {
			return err
		}
	}
	return nil
}
