package ggml

import "context"

// Held are the values of a batch between two parts of a run: see [Exec.RunPart]. The zero value
// is ready. It keeps its memory for the next part.
type Held struct{ bytes []byte }

// RunPart is [Exec.Run] of a part of the graph: what follows the operation that computes from, of
// which held has been set by the part before; or with nil what the graph begins with. It ends with
// what computes to, and sets held to the values that are read after that. Other batches may be run
// between the parts of one. What [Graph.Select] leads to is not computed.
func (e *Exec) RunPart(ctx context.Context, b *Batch, from, to *Tensor, held *Held) error {
	if err := b.check(e.all.capacity); err != nil {
		return err
	}
	first, last := 0, e.nodeOf(to)
	if from != nil {
		first = e.nodeOf(from) + 1
	}
	must(first <= last && last < e.head, "%s is not computed for all rows, after what is before it", to.Name)
	e.batch = b
	defer func() { e.batch = nil }()
	e.all.fill(b)
	e.late.narrow(&e.all, b, false)
	if from != nil {
		e.restore(first, held)
	}
	if err := e.runNodes(ctx, e.nodes[first:last+1]); err != nil {
		return err
	}
	e.hold(last+1, held)
	return nil
}

// nodeOf returns the number of the operation that computes t.
func (e *Exec) nodeOf(t *Tensor) int {
	for i := range e.nodes {
		if e.nodes[i].op.out() == t {
			return i
		}
	}
	panic("ggml: " + t.Name + " is not computed by an operation of its own")
}

// hold sets held to what is computed before operation number i and read from it on.
func (e *Exec) hold(i int, held *Held) {
	held.bytes = held.bytes[:0]
	for _, r := range e.regions {
		if r.first < i && r.last >= i {
			held.bytes = append(held.bytes, e.arena[r.offset:r.offset+r.size]...)
		}
	}
}

// restore is the reverse of hold.
func (e *Exec) restore(i int, held *Held) {
	from := held.bytes
	for _, r := range e.regions {
		if r.first < i && r.last >= i {
			from = from[copy(e.arena[r.offset:r.offset+r.size], from):]
		}
	}
}
