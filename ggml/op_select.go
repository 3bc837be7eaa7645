package ggml

// selectRows takes the rows that are wanted, some at a time.
type selectRows struct{ x, y *Tensor }

// Select returns the rows of x that [Batch.Outputs] names. What is computed from them is
// computed for these rows alone; it must not read tensors of all rows, and nothing else
// of the graph may follow.
func (g *Graph) Select(name string, x *Tensor) *Tensor {
	return g.add(&selectRows{x, &Tensor{Name: name, Cols: x.Cols, of: selectedRows}})
}

func (o *selectRows) kind() string      { return "select" }
func (o *selectRows) inputs() []*Tensor { return []*Tensor{o.x} }
func (o *selectRows) out() *Tensor      { return o.y }
func (o *selectRows) takes() rowKind    { return o.x.of }

func (o *selectRows) steps(e *Exec) []step {
	return []step{{perRow, func(i, _ int) { copy(o.y.row(i), o.x.row(e.some.rows[i].in[o.x.of])) }}}
}

// narrow takes the rows that are wanted, all of them.
type narrow struct{ x, y *Tensor }

// Narrow returns the rows of x that [Batch.Outputs] names, or all rows if the inputs of products are
// summed up ([Exec.SumInputs]) or only a part of the graph is run ([Exec.RunPart]). What follows is
// computed for these rows alone: other tensors of all rows may be read only by Narrow. It
// spares rows of which nothing is wanted the end of a model, where no other row reads from them.
func (g *Graph) Narrow(name string, x *Tensor) *Tensor {
	return g.add(&narrow{x, &Tensor{Name: name, Cols: x.Cols, of: narrowRows}})
}

func (o *narrow) kind() string      { return "narrow" }
func (o *narrow) inputs() []*Tensor { return []*Tensor{o.x} }
func (o *narrow) out() *Tensor      { return o.y }
func (o *narrow) takes() rowKind    { return allRows }

// narrowCopies is how many rows one task copies: the rows of a step in which sequences go on
// are not worth waking a thread.
const narrowCopies = 16

func (o *narrow) steps(e *Exec) []step {
	tasks := func(n int) int { return partsOf(n, narrowCopies) }
	return []step{{tasks, func(task, _ int) {
		for i := task * narrowCopies; i < min((task+1)*narrowCopies, e.late.n); i++ {
			copy(o.y.row(i), o.x.row(e.late.rows[i].in[allRows]))
		}
	}}}
}
