package ggml

// input is a tensor that the caller fills before a run.
type input struct{ y *Tensor }

// Input returns a tensor whose rows the caller writes ([Exec.Row]) before each
// run.
func (g *Graph) Input(name string, cols int) *Tensor {
	t := g.add(&input{g.newTensor(name, cols)})
	t.keep = true
	return t
}

func (o *input) kind() string         { return "input" }
func (o *input) inputs() []*Tensor    { return nil }
func (o *input) out() *Tensor         { return o.y }
func (o *input) steps(e *Exec) []step { return nil }
