package ggml

import "fmt"

// Graph is a list of operations in the order in which they are computed; [Build] makes one.
// Its methods append an operation and return the tensor that it computes.
type Graph struct {
	ops     []op
	factors int // of low-rank changes: one more than the largest number
}

// op is one operation. A new one is a file with a type that has these methods
// and a method of Graph that appends it. One that works element by element is
// [elementwise], too, and belongs to the others of that kind.
type op interface {
	// kind is the operation's name in listings.
	kind() string
	// inputs are the tensors that it reads, out the one that it computes.
	inputs() []*Tensor
	out() *Tensor
	// steps returns what is to be run, once the tensors have their memory.
	steps(e *Exec) []step
}

// step is a part of an operation: independent tasks, which may run in any
// order and at the same time.
type step struct {
	// tasks returns the number of tasks for a batch of n rows.
	tasks func(n int) int
	run   func(task, worker int)
}

// Build returns the graph that build has filled. Operations whose shapes do not fit end
// build, and are the error.
func Build(build func(g *Graph)) (g *Graph, err error) {
	defer catch(&err)
	g = newGraph()
	build(g)
	return g, nil
}

// catch makes a [misfit] that has been thrown the error of the function that defers it.
func catch(err *error) {
	switch x := recover().(type) {
	case nil:
	case misfit:
		*err = x
	default:
		panic(x)
	}
}

// newGraph returns an empty graph.
func newGraph() *Graph { return &Graph{} }

// Keep marks t as a result: its rows stay readable after a run ([Exec.Row]).
func (g *Graph) Keep(t *Tensor) { t.keep = true }

// add appends an operation that computes out.
func (g *Graph) add(o op) *Tensor {
	for _, in := range o.inputs() {
		in.consumers++
	}
	t := o.out()
	g.place(o, t)
	t.op = o
	g.ops = append(g.ops, o)
	return t
}

// place says of which rows t is, which o computes.
func (g *Graph) place(o op, t *Tensor) {
	taker, takes := o.(interface{ takes() rowKind }) // fewer rows than it reads
	for _, in := range o.inputs() {
		t.of = max(t.of, in.of)
		must(takes && in.of == taker.takes() && in.of < t.of || !takes && in.of == t.of,
			"%s mixes all rows with selected ones", t.Name)
	}
	if last := len(g.ops) - 1; last >= 0 {
		must(t.of >= g.ops[last].out().of, "%s is of all rows and comes after selected ones", t.Name)
	}
}

// newTensor names the result of an operation after the operation if it has no
// name of its own.
func (g *Graph) newTensor(name string, cols int) *Tensor {
	if name == "" {
		name = fmt.Sprintf("node_%d", len(g.ops))
	}
	return &Tensor{Name: name, Cols: cols}
}

// misfit is the error of shapes that do not fit. Within this package it travels as a panic,
// so that a graph is built without a check after every line: see [Build].
type misfit string

func (m misfit) Error() string { return "ggml: " + string(m) }

// must panics with a [misfit] unless ok.
func must(ok bool, format string, args ...any) {
	if !ok {
		panic(misfit(fmt.Sprintf(format, args...)))
	}
}
