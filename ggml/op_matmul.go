package ggml

import "mptgo/ggml/internal/mat"

// matMul is y = x·Wᵀ followed by the elementwise operations joined to it.
type matMul struct {
	w        *Matrix
	weights  mat.Weights // those of w
	x, y     *Tensor
	epilogue []elementwise
	quantise bool // x is to be quantised here: nobody has done it before
	sort     bool // x is to be sorted by lanes here
}

// MatMul returns the product of every row of x with the rows of w:
// [batch, w.Rows].
func (g *Graph) MatMul(name string, w *Matrix, x *Tensor) *Tensor {
	must(w.Cols == x.Cols, "%s: product of %d columns with rows of %d", w.Name, x.Cols, w.Cols)
	return g.add(&matMul{w: w, weights: w.weights(), x: x, y: g.newTensor(name, w.Rows)})
}

func (o *matMul) kind() string { return "matmul" }
func (o *matMul) out() *Tensor { return o.y }

func (o *matMul) inputs() []*Tensor {
	in := []*Tensor{o.x}
	for _, f := range o.epilogue {
		for _, t := range f.inputs() {
			if t != f.source() {
				in = append(in, t)
			}
		}
	}
	return in
}

func (o *matMul) steps(e *Exec) []step {
	var s []step
	if o.quantise {
		s = append(s, step{perRow, func(i, _ int) { e.tier.Act.QuantizeRow(&o.x.acts, i, e.rows(o.y).n) }})
	}
	if o.sort {
		s = append(s, step{sortedRows, func(i, _ int) { e.tier.Act.SortLanes(&o.x.acts, i) }})
	}
	return append(s, step{
		func(n int) int { return (o.w.Rows + o.grain(e, n) - 1) / o.grain(e, n) },
		func(task, worker int) { o.run(e, task, worker) },
	})
}

// sortedRows returns the number of rows of a batch that are to be sorted by lanes.
func sortedRows(n int) int {
	if n < mat.LanesBatch {
		return 0
	}
	return n
}

// How much of a matrix one task takes: little, so that the last tasks of a region
// end at about the same time, and enough that taking it costs nothing beside it.
// A worker's tasks are neighbours, so where one ends the next has been fetched.
const (
	decodeTaskBytes = 64 << 10
	prefillTasks    = 4 // for each worker, at least, where there is a choice
)

// grain returns the rows of a task for a batch of n rows. It may depend on
// anything: a row's result does not depend on its neighbours.
func (o *matMul) grain(e *Exec, n int) int {
	if n >= mat.PackedBatch {
		return e.tier.Mat.TaskRows(o.w.Type, n, o.w.Rows/(prefillTasks*e.pool.Workers()))
	}
	rows := decodeTaskBytes / (len(o.w.Data) / o.w.Rows)
	return max(rows/mat.StripRows, 1) * mat.StripRows
}

// run computes the rows of one task and applies the epilogue to them.
func (o *matMul) run(e *Exec, task, worker int) {
	n := e.rows(o.y).n
	grain := o.grain(e, n)
	r0 := task * grain
	r1 := min(r0+grain, o.w.Rows)
	e.tier.Mat.MatMul(o.y.x, o.y.Cols, &o.weights, &o.x.acts, n, r0, r1, e.exact, &e.scratch[worker].mat)
	single := o.epilogue
	for len(single) > 0 && isStripwise(single[0]) {
		single[0].(stripwise).applyStrip(e, o.y, r0, r1, worker)
		single = single[1:]
	}
	if len(single) == 0 {
		return
	}
	for i := range n {
		part := o.y.row(i)[r0:r1]
		for _, f := range single {
			f.apply(e, part, i, r0)
		}
	}
}
