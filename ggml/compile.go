package ggml

import "mptgo/ggml/internal/mat"

// Options are the choices of [Compile].
type Options struct {
	// Exact keeps activations in float32 where block types would have them
	// quantised to int8.
	Exact bool
	// Tier is the name of the kernels to use; empty means the best that the
	// CPU can run.
	Tier string
	// Outputs is how many of the rows that [Graph.Select] takes are computed at a time;
	// 0 means all.
	Outputs int
}

// Compile prepares g for batches of up to batch rows. The graph must not be
// compiled again. [Exec.Close] gives its memory back.
func Compile(g *Graph, pool *Pool, batch int, opt Options) (*Exec, error) {
	e, err := prepare(g, batch, opt)
	if err != nil {
		return nil, err
	}
	e.pool = pool
	if err := e.plan(); err != nil {
		return nil, err
	}
	e.scratch = make([]scratch, pool.Workers())
	for _, o := range e.ops {
		e.nodes = append(e.nodes, node{op: o, steps: o.steps(e)})
		if o.out().of != selectedRows {
			e.head = len(e.nodes)
		}
	}
	return e, nil
}

// prepare does what comes before the memory of the tensors.
func prepare(g *Graph, batch int, opt Options) (e *Exec, err error) {
	defer catch(&err)
	tier, err := tierNamed(opt.Tier)
	if err != nil {
		return nil, err
	}
	outputs := batch
	if opt.Outputs > 0 {
		outputs = min(outputs, opt.Outputs)
	}
	e = &Exec{tier: tier, exact: opt.Exact}
	e.all, e.late, e.some = newRowSet(batch, g.factors), newRowSet(batch, g.factors), newRowSet(outputs, g.factors)
	e.ops = joinEpilogues(g.ops)
	e.placeQuantisation()
	e.placeSorting()
	return e, nil
}

// Measure returns the size of the arena that [Compile] would allocate, [Exec.Bytes].
// The graph must not be compiled any more.
func Measure(g *Graph, batch int, opt Options) (int, error) {
	e, err := prepare(g, batch, opt)
	if err != nil {
		return 0, err
	}
	_, size, err := e.layout()
	return size, err
}

// joinEpilogues moves every elementwise operation whose source is a product
// that nobody else reads into that product.
func joinEpilogues(ops []op) []op {
	product := map[*Tensor]*matMul{} // by the tensor that the product, so far, ends in
	var kept []op
	for _, o := range ops {
		if m, ok := o.(*matMul); ok {
			product[m.y] = m
		}
		f, ok := o.(elementwise)
		if !ok {
			kept = append(kept, o)
			continue
		}
		src := f.source()
		m := product[src]
		if m == nil || src.consumers != 1 || src.keep || isStripwise(f) && !m.allWhole() {
			kept = append(kept, o)
			continue
		}
		m.epilogue = append(m.epilogue, f)
		m.y = f.out()
		m.y.op = m
		product[m.y] = m
	}
	checkOrder(kept)
	return kept
}

// allWhole reports whether all epilogues of o are such that take all rows together.
func (o *matMul) allWhole() bool {
	return len(o.epilogue) == 0 || isStripwise(o.epilogue[len(o.epilogue)-1])
}

// checkOrder panics if an operation reads what is computed after it. What the epilogue of
// a product reads must be older than the product: residuals and gates in a decoder are.
func checkOrder(ops []op) {
	computed := map[*Tensor]bool{}
	for _, o := range ops {
		for _, in := range o.inputs() {
			must(computed[in], "%s reads %s before it is computed", o.out().Name, in.Name)
		}
		computed[o.out()] = true
	}
}

// placeQuantisation decides who quantises the inputs of products with block
// weights: the operation that computes the input if it works by rows, else the
// first product that reads it.
func (e *Exec) placeQuantisation() {
	if e.exact {
		return
	}
	for _, o := range e.ops {
		m, ok := o.(*matMul)
		if !ok || m.x.quantise || !e.tier.Mat.NeedsQ8(m.w.Type) {
			continue
		}
		m.x.quantise = true
		if _, ok := m.x.op.(interface{ quantises() }); !ok {
			m.quantise = true
		}
	}
}

// placeSorting has the first product that reads a tensor sorted by lanes sort it.
func (e *Exec) placeSorting() {
	for _, o := range e.ops {
		m, ok := o.(*matMul)
		if ok && e.rows(m.x).capacity >= mat.LanesBatch && !m.x.sort && e.tier.Mat.NeedsLanes(m.w.Type, e.exact) {
			m.x.sort, m.sort = true, true
		}
	}
}
