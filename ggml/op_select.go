package ggml

// selectRows takes the rows that are wanted.
type selectRows struct{ x, y *Tensor }

// Select returns the rows of x that [Batch.Outputs] names. What is computed from them is
// computed for these rows alone; it must not read tensors of all rows, and nothing else
// of the graph may follow.
func (g *Graph) Select(name string, x *Tensor) *Tensor {
	y := g.newTensor(name, x.Cols)
	y.selected = true
	return g.add(&selectRows{x, y})
}

func (o *selectRows) kind() string      { return "select" }
func (o *selectRows) inputs() []*Tensor { return []*Tensor{o.x} }
func (o *selectRows) out() *Tensor      { return o.y }

func (o *selectRows) steps(e *Exec) []step {
	return []step{{perRow, func(i, _ int) { copy(o.y.row(i), o.x.row(e.some.rows[i].from)) }}}
}
