package ggml

import "mptgo/ggml/internal/kernel"

// Attention describes one layer's attention.
type Attention struct {
	Heads, Dim int
	Scale      float32   // of the product of query and key
	Slopes     []float32 // ALiBi slope of each head; nil without ALiBi
	Layer      int       // which of the batch's caches holds its keys and values
}

// attend appends the batch's keys and values to the cache and attends.
type attend struct {
	Attention
	qkv, y *Tensor
}

// Attend splits every row of qkv into query, key and value of Heads*Dim values
// each, appends key and value to the cache of the layer, and returns for every
// head the softmax-weighted sum of the values of all positions up to the row's
// own: [batch, Heads*Dim]. The order of operations is that of
// kernel.Tier.Attend.
func (g *Graph) Attend(name string, qkv *Tensor, a Attention) *Tensor {
	width := a.Heads * a.Dim
	must(qkv.Cols == 3*width, "Attend of %d columns with %d heads of %d", qkv.Cols, a.Heads, a.Dim)
	must(a.Slopes == nil || len(a.Slopes) == a.Heads, "%d slopes for %d heads", len(a.Slopes), a.Heads)
	return g.add(&attend{a, qkv, g.newTensor(name, width)})
}

func (o *attend) kind() string      { return "attend" }
func (o *attend) inputs() []*Tensor { return []*Tensor{o.qkv} }
func (o *attend) out() *Tensor      { return o.y }

// queryBlock is how many consecutive queries of a head one task takes: a
// multiple of the number that share the reading of keys and values.
const queryBlock = 8 * kernel.QueryTile

func (o *attend) steps(e *Exec) []step {
	return []step{
		{func(n int) int { return (n + queryBlock - 1) / queryBlock }, func(task, _ int) { o.store(e, task) }},
		{func(n int) int { return (n + queryBlock - 1) / queryBlock * o.Heads }, func(task, worker int) { o.run(e, task, worker) }},
	}
}

// store appends the keys and values of one block of rows.
func (o *attend) store(e *Exec, task int) {
	kv, width := e.batch.KV[o.Layer], o.Heads*o.Dim
	for i := task * queryBlock; i < min((task+1)*queryBlock, e.n); i++ {
		row := o.qkv.row(i)
		e.tier.StoreKV(kv, e.batch.Pos+i, row[width:2*width], row[2*width:])
	}
}

// run attends for one block of queries of one head. A worker has neighbouring
// tasks, so those of a head stay together; its last queries, which see the most
// keys, go first.
func (o *attend) run(e *Exec, task, worker int) {
	blocks := (e.n + queryBlock - 1) / queryBlock
	head, block := task/blocks, blocks-1-task%blocks
	i := block * queryBlock
	n := min(queryBlock, e.n-i)
	slope := float32(0)
	if o.Slopes != nil {
		slope = o.Slopes[head]
	}
	c := head * o.Dim
	e.tier.Attend(o.y.x[i*o.y.Cols+c:], o.y.Cols, o.qkv.x[i*o.qkv.Cols+c:], o.qkv.Cols, n, e.batch.Pos+i, head,
		e.batch.KV[o.Layer], o.Scale, slope, &e.scratch[worker].att)
}

// KV is the cache of one layer's keys and values, KVPage a part of it for
// [Chunk] positions.
type (
	KV     = kernel.KV
	KVPage = kernel.KVPage
)

// Chunk is the number of positions in a page of a cache.
const Chunk = kernel.Chunk
