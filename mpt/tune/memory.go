package tune

import (
	"unsafe"

	"mptgo/ggml/train"
	"mptgo/internal/slab"
)

// arena hands out rows of one piece of memory. Without memory it only counts.
type arena struct {
	mem   []float32
	count int
}

// rows returns n rows of cols values.
func (a *arena) rows(n, cols int) train.Rows {
	const line = 16 // values of a cache line
	from := a.count
	a.count += (n*cols + line - 1) / line * line
	if a.mem == nil {
		return train.Rows{N: n, Cols: cols}
	}
	return train.Rows{N: n, Cols: cols, X: a.mem[from : from+n*cols : from+n*cols]}
}

// kept are the values of a layer that its way back reads.
type kept struct {
	qkv, o, stats, xm, up, gate train.Rows
	z                           [kinds]train.Rows // products with A
}

// workspace is the memory of a micro-batch.
type workspace struct {
	mem []byte

	x    []train.Rows // the input of every layer and the output of the last, [N, D]
	kept []kept       // by layer; those that are made again share one
	own  []bool       // the layer's is its own

	a, heads, clipped, h, act train.Rows // made again from what is kept
	dy, dh, do, dqkv, df, dg  train.Rows // gradients
	d, dropped, undropped     train.Rows // of changes
	kv, dkv                   []train.Rows
	final, norm, logits, back train.Rows // of the head, for some of its rows at a time
}

// headRows is how many targets go through the head at a time: the output matrix is decoded once for them.
const headRows = 256

// layout gives a workspace for n tokens its places. The topmost keep layers keep all of their values.
func (n *network) layout(w *workspace, a *arena, tokens, keep int) {
	c := &n.c
	d, width := c.Embedding, c.Heads*c.HeadDim
	layers := len(n.layers)
	w.x, w.kept, w.own = make([]train.Rows, layers+1), make([]kept, layers), make([]bool, layers)
	w.kv, w.dkv = make([]train.Rows, layers), make([]train.Rows, layers)
	for i := range w.x {
		w.x[i] = a.rows(tokens, d)
	}
	shared := n.keep(a, tokens)
	for i := range layers {
		w.own[i], w.kept[i] = i >= layers-keep, shared
		if w.own[i] {
			w.kept[i] = n.keep(a, tokens)
		}
		if n.shares[i] {
			w.kv[i], w.dkv[i] = a.rows(tokens, 2*c.KVHeads*c.HeadDim), a.rows(tokens, 2*c.KVHeads*c.HeadDim)
		}
	}
	qkv := width + 2*c.KVHeads*c.HeadDim
	w.a, w.h, w.dy, w.dh = a.rows(tokens, d), a.rows(tokens, d), a.rows(tokens, d), a.rows(tokens, d)
	w.heads, w.clipped, w.dqkv, w.do = a.rows(tokens, qkv), a.rows(tokens, qkv), a.rows(tokens, qkv), a.rows(tokens, width)
	w.act, w.df = a.rows(tokens, c.FFN), a.rows(tokens, c.FFN)
	if n.gated() {
		w.dg = a.rows(tokens, c.FFN)
	}
	w.d = a.rows(tokens, n.widest())
	if n.dropout.Rate > 0 {
		most := max(d, width, c.FFN)
		w.dropped, w.undropped = a.rows(tokens, most), a.rows(tokens, most)
	}
	some := min(tokens, headRows)
	w.final, w.norm, w.back = a.rows(some, d), a.rows(some, d), a.rows(some, d)
	w.logits = a.rows(some, n.p.Output.Rows)
}

// keep returns memory for what a layer keeps.
func (n *network) keep(a *arena, tokens int) (k kept) {
	c := &n.c
	width := c.Heads * c.HeadDim
	k.qkv, k.o = a.rows(tokens, width+2*c.KVHeads*c.HeadDim), a.rows(tokens, width)
	k.stats, k.xm, k.up = a.rows(tokens, 2*c.Heads), a.rows(tokens, c.Embedding), a.rows(tokens, c.FFN)
	if n.gated() {
		k.gate = a.rows(tokens, c.FFN)
	}
	for kind := range kinds {
		k.z[kind] = a.rows(tokens, n.widest())
	}
	return k
}

// measure returns the bytes of a workspace.
func (n *network) measure(tokens, keep int) int64 {
	var a arena
	n.layout(&workspace{}, &a, tokens, keep)
	return 4 * int64(a.count)
}

// allocate returns a workspace; free gives its memory back.
func (n *network) allocate(tokens, keep int) (*workspace, error) {
	mem, err := slab.Alloc(int(n.measure(tokens, keep)))
	if err != nil {
		return nil, err
	}
	w := &workspace{mem: mem}
	n.layout(w, &arena{mem: unsafe.Slice((*float32)(unsafe.Pointer(&mem[0])), len(mem)/4)}, tokens, keep)
	return w, nil
}

func (w *workspace) free() error {
	if w == nil || w.mem == nil {
		return nil
	}
	mem := w.mem
	*w = workspace{}
	return slab.Free(mem)
}

// first returns the first n rows of r, as cols columns, which r has at least.
func first(r train.Rows, n, cols int) train.Rows {
	return train.Rows{N: n, Cols: cols, X: r.X[:n*cols]}
}
