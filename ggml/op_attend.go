package ggml

import "mptgo/ggml/internal/att"

// Attention describes one layer's attention.
type Attention struct {
	Heads   int // of queries
	KVHeads int // of keys and values, a divisor of Heads: neighbouring queries share one
	Dim     int // of a head

	Scale  float32   // of the product of query and key
	Cap    float32   // scores are limited softly to [-Cap, Cap]; 0 = not at all
	Slopes []float32 // ALiBi slope of each head; nil without ALiBi
	Window int       // how many positions a query sees, the last its own; 0 = all

	Layer int  // which of the batch's caches holds its keys and values
	Reuse bool // an earlier layer has put them there: rows are queries only
}

// attend appends the batch's keys and values to the cache and attends.
type attend struct {
	Attention
	qkv, y *Tensor
}

// Attend splits every row of qkv into queries of Heads*Dim values and keys and values of
// KVHeads*Dim each, appends keys and values to the cache of the layer, and returns for
// every head the softmax-weighted sum of the values of the positions that it sees, up to
// the row's own: [batch, Heads*Dim]. With Reuse there are only queries in qkv. The order
// of operations is that of tier.Tier.Attend.
func (g *Graph) Attend(name string, qkv *Tensor, a Attention) *Tensor {
	must(a.KVHeads > 0 && a.Heads%a.KVHeads == 0, "%s: %d heads of queries, %d of keys", name, a.Heads, a.KVHeads)
	want := (a.Heads + 2*a.KVHeads) * a.Dim
	if a.Reuse {
		want = a.Heads * a.Dim
	}
	must(qkv.Cols == want, "%s: Attend of %d columns, want %d", name, qkv.Cols, want)
	must(qkv.of == allRows, "%s: Attend of some rows, whose keys others want", name)
	must(a.Slopes == nil || len(a.Slopes) == a.Heads, "%s: %d slopes for %d heads", name, len(a.Slopes), a.Heads)
	return g.add(&attend{a, qkv, g.newTensor(name, a.Heads*a.Dim)})
}

func (o *attend) kind() string      { return "attend" }
func (o *attend) inputs() []*Tensor { return []*Tensor{o.qkv} }
func (o *attend) out() *Tensor      { return o.y }

// queryBlock is how many consecutive queries of a head one task takes: a
// multiple of the number that share the reading of keys and values.
const queryBlock = 8 * att.QueryTile

func (o *attend) steps(e *Exec) []step {
	blocks := func(int) int {
		for i := range e.all.blocks {
			if !o.storesItself(&e.all.blocks[i]) {
				return len(e.all.blocks)
			}
		}
		return 0
	}
	run := step{func(int) int { return len(e.all.blocks) * o.Heads }, func(task, worker int) { o.run(e, task, worker) }}
	if o.Reuse {
		return []step{run}
	}
	return []step{{blocks, func(task, worker int) { o.store(e, task, worker) }}, run}
}

// storesItself reports whether the tasks that attend for a block also append its keys and values:
// those of a lone row, each task the head that it alone reads. A tile of keys comes from memory
// once then: every line of it has something of every position.
func (o *attend) storesItself(b *queryRows) bool {
	return b.n == 1 && b.count == 1 && o.KVHeads == o.Heads && !o.Reuse
}

// store appends the keys and values of one block of rows.
func (o *attend) store(e *Exec, task, worker int) {
	b := &e.all.blocks[task]
	if o.storesItself(b) {
		return
	}
	keys, values := o.Heads*o.Dim, (o.Heads+o.KVHeads)*o.Dim
	for i := b.from; i < b.from+b.n; i++ {
		row, at := o.qkv.row(i), e.all.rows[i]
		e.tier.Att.StoreKV(&e.batch.Spans[at.span].KV[o.Layer].kv, at.pos, row[keys:values], row[values:],
			&e.scratch[worker].att)
	}
}

// storeHead appends the key and the value of a head of row i.
func (o *attend) storeHead(e *Exec, i, head, worker int) {
	row, at := o.qkv.row(i), e.all.rows[i]
	k, v := (o.Heads+head)*o.Dim, (o.Heads+o.KVHeads+head)*o.Dim
	e.tier.Att.StoreHead(&e.batch.Spans[at.span].KV[o.Layer].kv, head, at.pos, row[k:k+o.Dim], row[v:v+o.Dim],
		&e.scratch[worker].att)
}

// run attends for one block of queries of one head. A worker has neighbouring tasks, so
// the blocks of a span follow each other, those of a head together; its last queries,
// which see the most keys, go first.
func (o *attend) run(e *Exec, task, worker int) {
	span := &e.all.blocks[task/o.Heads]
	task -= span.first * o.Heads
	head, b := task/span.count, &e.all.blocks[span.first+span.count-1-task%span.count]
	h := att.Head{KV: head / (o.Heads / o.KVHeads), Scale: o.Scale, Cap: o.Cap, Window: o.Window}
	if o.Slopes != nil {
		h.Slope = o.Slopes[head]
	}
	c, i, at := head*o.Dim, b.from, e.all.rows[b.from]
	if o.storesItself(b) {
		o.storeHead(e, i, head, worker)
	}
	e.tier.Att.Attend(o.y.x[i*o.y.Cols+c:], o.y.Cols, o.qkv.x[i*o.qkv.Cols+c:], o.qkv.Cols, b.n, at.pos, h,
		&e.batch.Spans[at.span].KV[o.Layer].kv, &e.scratch[worker].att)
}
