package ggml

import "fmt"

// Batch is the input of a run: rows of any sequences at any positions.
type Batch struct {
	Tokens []int32 // of every row; for a graph with [Graph.Embed]
	Spans  []Span  // what the rows belong to, in their order

	// Outputs are the rows, in increasing order, that [Graph.Narrow] and [Graph.Select] take. Each, if set,
	// is called when n of them, from number first on, have gone through the rest of the
	// graph: row i of a kept tensor is then that of Outputs[first+i]. An error ends the run.
	Outputs []int
	Each    func(first, n int) error
	// Until, if set, is asked of each such part for the last kept tensor that is wanted of
	// it: what follows is not computed. Nil means all.
	Until func(first, n int) *Tensor
}

// Span is N consecutive rows of a batch that are consecutive tokens of one sequence.
type Span struct {
	N   int
	Pos int   // position of the first row; for a graph with [Graph.Attend]
	KV  []*KV // by layer, with pages for all positions of the span, and for no other span

	// Factors are those of the low-rank changes, by the number that these were given. A
	// change with the factor 0, or without one, is not made.
	Factors []float32
}

// factor returns factor k.
func (s *Span) factor(k int) float32 {
	if k >= len(s.Factors) {
		return 0
	}
	return s.Factors[k]
}

// check refuses a batch that does not fit.
func (b *Batch) check(capacity int) error {
	n := 0
	for i := range b.Spans {
		if b.Spans[i].N < 1 || b.Spans[i].Pos < 0 {
			return fmt.Errorf("ggml: span %d has %d rows from position %d on", i, b.Spans[i].N, b.Spans[i].Pos)
		}
		n += b.Spans[i].N
	}
	if n < 1 || n > capacity {
		return fmt.Errorf("ggml: a batch of %d rows in a graph for 1 to %d", n, capacity)
	}
	if b.Tokens != nil && len(b.Tokens) < n {
		return fmt.Errorf("ggml: %d tokens for a batch of %d rows", len(b.Tokens), n)
	}
	last := -1
	for _, i := range b.Outputs {
		if i <= last || i >= n {
			return fmt.Errorf("ggml: output row %d after row %d of a batch of %d", i, last, n)
		}
		last = i
	}
	return nil
}

// rowSet is what operations compute at a time: all rows of a batch, or those that are wanted, or some of these.
type rowSet struct {
	capacity int
	n        int
	rows     []row        // by row
	blocks   []queryRows  // rows cut into pieces that are attended to together
	changed  [][]rowRange // by factor: the rows for which it is not 0
}

// row says where a row belongs.
type row struct {
	in   [selectedRows]int // its number among the rows of tensors of a kind
	span int
	pos  int
}

// rowRange is n rows from row from on.
type rowRange struct{ from, n int }

// queryRows is a piece of a span.
type queryRows struct {
	rowRange
	first, count int // the first piece of its span and how many there are
}

func newRowSet(capacity, factors int) rowSet {
	return rowSet{capacity: capacity, changed: make([][]rowRange, factors)}
}

// fill sets r to all rows of a batch.
func (r *rowSet) fill(b *Batch) {
	r.rows, r.blocks = r.rows[:0], r.blocks[:0]
	for s := range b.Spans {
		first, n := len(r.rows), b.Spans[s].N
		for i := range n {
			r.rows = append(r.rows, row{[selectedRows]int{first + i}, s, b.Spans[s].Pos + i})
		}
		block, count := len(r.blocks), (n+queryBlock-1)/queryBlock
		for i := 0; i < n; i += queryBlock {
			r.blocks = append(r.blocks, queryRows{rowRange{first + i, min(queryBlock, n-i)}, block, count})
		}
	}
	r.n = len(r.rows)
	r.setChanged(b)
}

// narrow sets r to the outputs of a batch or, if they are not narrowed, to all its rows.
func (r *rowSet) narrow(all *rowSet, b *Batch, narrowed bool) {
	if !narrowed {
		r.rows = append(r.rows[:0], all.rows...)
		for i := range r.rows {
			all.rows[i].in[narrowRows], r.rows[i].in[narrowRows] = i, i
		}
	} else {
		r.rows = r.rows[:0]
		for k, i := range b.Outputs {
			all.rows[i].in[narrowRows] = k
			r.rows = append(r.rows, all.rows[i])
		}
	}
	r.n = len(r.rows)
	r.setChanged(b)
}

// take sets r to as many of the outputs of a batch as fit, from number first on.
func (r *rowSet) take(all *rowSet, b *Batch, first int) {
	r.rows = r.rows[:0]
	for _, i := range b.Outputs[first:min(first+r.capacity, len(b.Outputs))] {
		r.rows = append(r.rows, all.rows[i])
	}
	r.n = len(r.rows)
	r.setChanged(b)
}

// setChanged finds the rows that low-rank changes are for.
func (r *rowSet) setChanged(b *Batch) {
	for k := range r.changed {
		list := r.changed[k][:0]
		for i := range r.rows {
			if b.Spans[r.rows[i].span].factor(k) == 0 {
				continue
			}
			if last := len(list) - 1; last >= 0 && list[last].from+list[last].n == i {
				list[last].n++
			} else {
				list = append(list, rowRange{i, 1})
			}
		}
		r.changed[k] = list
	}
}

// cut returns piece number i of ranges that are cut into pieces of at most size rows.
func cut(ranges []rowRange, size, i int) rowRange {
	for _, r := range ranges {
		if pieces := (r.n + size - 1) / size; i >= pieces {
			i -= pieces
			continue
		}
		return rowRange{r.from + i*size, min(size, r.n-i*size)}
	}
	panic("ggml: no such piece")
}

// pieces returns how many pieces there are.
func pieces(ranges []rowRange, size int) (n int) {
	for _, r := range ranges {
		n += (r.n + size - 1) / size
	}
	return n
}
