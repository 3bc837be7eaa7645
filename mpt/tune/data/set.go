package data

import (
	"fmt"
	"math"
	"slices"
)

// Set is all rows of some files, as tokens. It may be read by several goroutines.
type Set struct {
	Part
	Summary Summary
}

// Part is some rows of a set.
type Part struct {
	store *store
	rows  []int // numbers in the store; nil: all
}

var _ Rows = (*Part)(nil)

func newSet(s *store, summary Summary) *Set { return &Set{Part{store: s}, summary} }

// Close removes the temporary file. The parts of the set are gone with it.
func (s *Set) Close() error { return s.store.close() }

// Digest returns the SHA-256 of the rows, hexadecimal: of the number of tokens of each, and of the
// tokens, those that are no targets as complements, all as 32 bits little-endian. The same rows have
// the same one whatever files they are from.
func (s *Set) Digest() string { return s.store.digest() }

func (p *Part) number(i int) int {
	if p.rows == nil {
		return i
	}
	return p.rows[i]
}

// Len returns the number of rows.
func (p *Part) Len() int {
	if p.rows == nil {
		return p.store.len()
	}
	return len(p.rows)
}

// Row reads row i. Its first label is never a target: nothing predicts the first token.
func (p *Part) Row(i int) (Row, error) { return p.store.row(p.number(i)) }

// Length returns the tokens of row i, without reading it.
func (p *Part) Length(i int) int {
	begin, end := p.store.span(p.number(i))
	return int(end - begin)
}

// Targets returns the targets of row i, without reading it.
func (p *Part) Targets(i int) int { return int(p.store.targets[p.number(i)]) }

// Tokens returns the tokens and targets of all rows.
func (p *Part) Tokens() (tokens, targets int) {
	for i := range p.Len() {
		tokens += p.Length(i)
		targets += p.Targets(i)
	}
	return tokens, targets
}

// Split holds back rows for evaluation: a share of them, below 1, rounded, or so many. At least one
// stays on either side. Which ones depends on the number of rows and the seed; both parts keep
// the order of the files.
func (s *Set) Split(share float64, seed uint64) (train, held *Part, err error) {
	n := s.Len()
	count := share
	if share < 1 {
		count = max(1, math.Round(share*float64(n)))
	}
	switch {
	case !(share > 0) || count != math.Trunc(count):
		return nil, nil, fmt.Errorf("data: %v of the rows for evaluation: want a share between 0 and 1, or a number of rows", share)
	case count >= float64(n):
		return nil, nil, fmt.Errorf("data: %v of %d rows for evaluation: none would be left", share, n)
	}
	order := Order(n, seed, splitEpoch)
	train, held = &Part{store: s.store, rows: order[int(count):]}, &Part{store: s.store, rows: order[:int(count)]}
	slices.Sort(train.rows)
	slices.Sort(held.rows)
	return train, held, nil
}
