package ggml

import (
	"fmt"

	"mptgo/ggml/internal/mat"
)

// LowRank is a change of a weight matrix by the product of two thin ones, with which
// x·Wᵀ becomes x·Wᵀ + s·(x·Aᵀ)·Bᵀ [Hu et al., "LoRA: Low-Rank Adaptation of Large
// Language Models", 2021]. A is [rank, in], B [out, rank]; both are kept as float32, or see
// [LowRank.Compact], in the order in which kernels read them.
type LowRank struct {
	rank, in, out int
	from          int         // the row of W that B begins with
	scale         float32     // s without the factor of the batch
	a             *mat.Panels // [rank, in], or nil, and
	table         []float32   // [in, rank] for rows that tokens select
	b             *mat.Panels // from the first row of the strip on that from is in
}

// NewLowRank returns a change of out rows from row from on of a matrix with rows of in
// values. A and B are zero until they are set. Sizes below 1, a negative from, and matrices that
// are too large for this machine are errors.
func NewLowRank(rank, in, out, from int, scale float32) (*LowRank, error) {
	l, err := newLowRank(rank, in, out, from, scale)
	if err != nil {
		return nil, err
	}
	l.a = mat.NewPanels(rank, in)
	return l, nil
}

// NewLowRankTable is NewLowRank for a matrix of which tokens select rows: Wᵀ becomes
// Wᵀ + s·B·A, one column for each of in tokens.
func NewLowRankTable(rank, in, out int, scale float32) (*LowRank, error) {
	l, err := newLowRank(rank, in, out, 0, scale)
	if err != nil {
		return nil, err
	}
	l.table = make([]float32, in*rank)
	return l, nil
}

func newLowRank(rank, in, out, from int, scale float32) (*LowRank, error) {
	l := &LowRank{rank: rank, in: in, out: out, from: from, scale: scale}
	rows := from - l.base() + out
	if from < 0 || out < 1 || !mat.PanelsFit(rank, in) || !mat.PanelsFit(rows, rank) {
		return nil, fmt.Errorf("ggml: a change of rank %d of %d x %d values from row %d on: want sizes of at least 1, "+
			"as large as memory can be", rank, out, in, from)
	}
	l.b = mat.NewPanels(rows, rank)
	return l, nil
}

// base returns the row of W that the rows of b begin with: the padding before from is
// zero, and strips of b are those of W.
func (l *LowRank) base() int { return l.from &^ (mat.StripRows - 1) }

// SetA sets row j of A, v of in values, or of a table the values of token j, v of rank values.
func (l *LowRank) SetA(j int, v []float32) {
	if l.table != nil {
		copy(l.table[j*l.rank:(j+1)*l.rank], v)
		return
	}
	l.a.SetRow(j, v)
}

// SetB sets row i of B, v of rank values.
func (l *LowRank) SetB(i int, v []float32) { l.b.SetRow(l.from-l.base()+i, v) }

// Compact keeps A and B in 16 bits where that leaves every value as it is: what was trained in
// bfloat16 or float16 takes half of the memory and of the time to read it, with the same bits. No
// value can be set any more. A table stays as it is.
func (l *LowRank) Compact() {
	if l.a != nil {
		l.a.Compact()
	}
	l.b.Compact()
}

// Bytes returns the size of A and B in memory.
func (l *LowRank) Bytes() int { return l.bytesA() + l.b.Bytes() }

// MACs returns how many multiplications A and B take for a row of a batch.
func (l *LowRank) MACs() int64 {
	if l.table != nil {
		return int64(l.rank) * int64(l.out)
	}
	return int64(l.rank) * int64(l.in+l.out)
}

func (l *LowRank) bytesA() int {
	if l.table != nil {
		return 4 * len(l.table)
	}
	return l.a.Bytes()
}

// The products with A are made in parts of lowRankPart columns, which are added in
// order: so a long row has work for several threads, in the same way for any number.
const lowRankPart = 512

// lowRankRows is how many rows of a batch one task takes.
const lowRankRows = 96

// lowRankGroup is how many parts one task makes at the most: side by side, for a single row.
const lowRankGroup = 4

// parts returns how many parts a sum of A has, width how many columns each part takes, and tasks
// how many make a group of parts each of a strip.
func (l *LowRank) parts() int          { return partsOf(l.in, lowRankPart) }
func (l *LowRank) width() int          { return l.a.Strips() * mat.StripRows }
func (l *LowRank) tasks(group int) int { return partsOf(l.parts(), group) * l.a.Strips() }

// partsOf returns how many parts of a size n is.
func partsOf(n, size int) int { return (n + size - 1) / size }

// Change is a [LowRank] with the number of its factor in the spans of a batch.
type Change struct {
	L      *LowRank
	Factor int
}

// reduce is z = s·x·Aᵀ for some changes. Each has columns of its own: the result lies in the
// first, behind it the parts of the sums. All are made in one go, so that many of few rows each
// keep all threads busy.
type reduce struct {
	changes []Change
	at      []int // the first columns
	x, z    *Tensor
}

// Reduce returns the products of every row of x with A of some changes, multiplied with their
// scales and the Factors of the row's span; rows for which that is 0 are left out. Only
// [Graph.AddLowRank] reads it. Each result is the sum of chains of 512 columns, from +0,
// in order.
func (g *Graph) Reduce(name string, x *Tensor, changes ...Change) *Tensor {
	o := &reduce{changes: changes, x: x}
	cols := 0
	for _, c := range changes {
		must(c.L.a != nil && x.Cols == c.L.in, "%s: %d columns for a low rank of %d", name, x.Cols, c.L.in)
		g.factors = max(g.factors, c.Factor+1)
		o.at = append(o.at, cols)
		cols += c.L.parts() * c.L.width()
	}
	o.z = g.newTensor(name, cols)
	return g.add(o)
}

func (o *reduce) kind() string      { return "reduce" }
func (o *reduce) inputs() []*Tensor { return []*Tensor{o.x} }
func (o *reduce) out() *Tensor      { return o.z }

// change returns change k and where its columns begin.
func (o *reduce) change(k int) (Change, int) { return o.changes[k], o.at[k] }

func (o *reduce) steps(e *Exec) []step {
	group := 1
	parts := func(k int) int { return pieces(o.rows(e, k), lowRankRows) * o.changes[k].L.tasks(group) }
	sums := func(k int) int { return pieces(o.rows(e, k), 1) }
	count := func(n int) int {
		group = 1
		group = min(max(o.total(parts)(n)/(2*e.pool.Workers()), 1), lowRankGroup)
		return o.total(parts)(n)
	}
	return []step{
		{count, func(task, _ int) { k, i := o.find(parts, task); o.multiply(e, k, i, group) }},
		{o.total(sums), func(task, _ int) { k, i := o.find(sums, task); o.sum(e, k, cut(o.rows(e, k), 1, i).from) }},
	}
}

// rows returns the rows that change k is for.
func (o *reduce) rows(e *Exec, k int) []rowRange { return e.rows(o.z).changed[o.changes[k].Factor] }

// total adds up the tasks of all changes; find returns of which change a task is, and which of
// its tasks.
func (o *reduce) total(tasks func(k int) int) func(int) int {
	return func(int) (n int) {
		for k := range o.changes {
			n += tasks(k)
		}
		return n
	}
}

func (o *reduce) find(tasks func(k int) int, task int) (k, i int) {
	for {
		n := tasks(k)
		if task < n {
			return k, task
		}
		task -= n
		k++
	}
}

// multiply computes a group of parts of one strip for some rows.
func (o *reduce) multiply(e *Exec, k, task, group int) {
	l, at := o.changes[k].L, o.at[k]
	tasks := l.tasks(group)
	rows := cut(o.rows(e, k), lowRankRows, task/tasks)
	task %= tasks
	part, strip := task/l.a.Strips()*group, task%l.a.Strips()
	c0 := part * lowRankPart
	c1 := min(c0+group*lowRankPart, l.in)
	i := rows.from
	z, x := o.z.x[i*o.z.Cols+at+part*l.width()+strip*mat.StripRows:], o.x.x[i*o.x.Cols:]
	if rows.n == 1 {
		e.tier.Mat.SetParts(z, l.width(), l.a, strip, c0, c1, lowRankPart, x[:o.x.Cols])
		return
	}
	for ; c0 < c1; c0 += lowRankPart {
		e.tier.Mat.SetChains(z, o.z.Cols, l.a, strip, c0, min(c0+lowRankPart, c1), x, o.x.Cols, rows.n)
		z = z[min(l.width(), len(z)):]
	}
}

// sum adds the parts of row i.
func (o *reduce) sum(e *Exec, k, i int) {
	c, width := o.changes[k], o.changes[k].L.width()
	z := o.z.row(i)[o.at[k]:]
	sum := z[:width]
	for p := 1; p < c.L.parts(); p++ {
		e.tier.Vec.Add(sum, z[p*width:(p+1)*width])
	}
	e.tier.Vec.Scale(sum, c.L.scaleOf(e, o.z, i, c.Factor))
}

// scaleOf returns the scale of row i of t.
func (l *LowRank) scaleOf(e *Exec, t *Tensor, i, factor int) float32 {
	return l.scale * e.batch.Spans[e.rows(t).rows[i].span].factor(factor)
}

func (o *reduce) work(e *Exec) (bytes, macs int64) {
	for k, c := range o.changes {
		n := int64(pieces(o.rows(e, k), 1))
		bytes += min(n, 1) * int64(c.L.bytesA())
		macs += int64(c.L.rank) * int64(c.L.in) * n
	}
	return bytes, macs
}

// lookUp is reduce for tokens.
type lookUp struct {
	l      *LowRank
	factor int
	z      *Tensor
}

// LookUp returns the rows of a table that the tokens of the batch select, scaled as by
// [Graph.Reduce].
func (g *Graph) LookUp(name string, l *LowRank, factor int) *Tensor {
	must(l.table != nil, "%s: not a table", name)
	g.factors = max(g.factors, factor+1)
	return g.add(&lookUp{l, factor, g.newTensor(name, l.rank)})
}

func (o *lookUp) kind() string      { return "lookup" }
func (o *lookUp) inputs() []*Tensor { return nil }
func (o *lookUp) out() *Tensor      { return o.z }

func (o *lookUp) steps(e *Exec) []step {
	return []step{{perRow, func(i, _ int) {
		t, z := int(e.batch.Tokens[i]), o.z.row(i)
		copy(z, o.l.table[t*o.l.rank:])
		e.tier.Vec.Scale(z, o.l.scaleOf(e, o.z, i, o.factor))
	}}}
}

// change is that of the table, the only one.
func (o *lookUp) change(int) (Change, int) { return Change{o.l, o.factor}, 0 }

// addLowRank is y = x + z·Bᵀ.
type addLowRank struct {
	Change
	at      int // the first column of z
	x, z, y *Tensor
}

// AddLowRank returns x, a product with W, plus the product of z, which [Graph.Reduce]
// or [Graph.LookUp] has made, with B: that of change k of z.
func (g *Graph) AddLowRank(name string, x, z *Tensor, k int) *Tensor {
	c, at := z.op.(interface{ change(k int) (Change, int) }).change(k)
	must(c.L.from+c.L.out <= x.Cols, "%s: %d columns from %d of %d", name, c.L.out, c.L.from, x.Cols)
	return g.add(&addLowRank{c, at, x, z, g.newTensor(name, x.Cols)})
}

func (o *addLowRank) kind() string      { return "low rank" }
func (o *addLowRank) inputs() []*Tensor { return []*Tensor{o.x, o.z} }
func (o *addLowRank) out() *Tensor      { return o.y }
func (o *addLowRank) source() *Tensor   { return o.x }

func (o *addLowRank) steps(e *Exec) []step {
	return []step{{perRow, func(i, worker int) {
		copy(o.y.row(i), o.x.row(i))
		set := e.rows(o.y)
		if e.batch.Spans[set.rows[i].span].factor(o.Factor) != 0 {
			o.add(e, o.y, i, 1, 0, o.y.Cols, worker)
		}
	}}}
}

// apply is not called: a product calls applyStrip before it comes to single rows.
func (o *addLowRank) apply(*Exec, []float32, int, int) { panic("ggml: low rank of a part of a row") }

// applyStrip adds to columns [c0, c1) of the rows of y, of which c0 begins a strip.
func (o *addLowRank) applyStrip(e *Exec, y *Tensor, c0, c1, worker int) {
	for _, r := range e.rows(y).changed[o.Factor] {
		o.add(e, y, r.from, r.n, c0, c1, worker)
	}
}

// add adds to columns [c0, c1) of n rows of y from row i on.
func (o *addLowRank) add(e *Exec, y *Tensor, i, n, c0, c1, worker int) {
	base := o.L.base()
	r0, r1 := max(c0-base, 0), min(c1-base, o.L.b.Rows)
	if r0 >= r1 {
		return
	}
	e.tier.Mat.AddChains(y.x[i*y.Cols+base:], y.Cols, o.L.b, r0, r1, o.z.x[i*o.z.Cols+o.at:], o.z.Cols, n, &e.scratch[worker].mat)
}

func (o *addLowRank) work(e *Exec) (bytes, macs int64) {
	n := int64(pieces(e.rows(o.y).changed[o.Factor], 1))
	return min(n, 1) * int64(o.L.Bytes()-o.L.bytesA()), int64(o.L.rank) * int64(o.L.out) * n
}

// Sample returns some of the values of A and B, to tell changes apart.
func (l *LowRank) Sample() (v []float32) {
	a := l.table
	if a == nil {
		a = l.a.Values()
	}
	for _, x := range [][]float32{a, l.b.Values()} {
		for at := 0; at < len(x); at += len(x)/64 + 1 {
			v = append(v, x[at])
		}
	}
	return v
}
