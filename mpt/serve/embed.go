package serve

import "mptgo/mpt"

// Pooling says how the vectors of a text's tokens become one.
type Pooling int

const (
	NoPooling   Pooling = iota // no vector is wanted
	MeanPooling                // the mean of all
	LastPooling                // that of the last token
)

// pool makes one vector out of those of a prompt's tokens, in their order: the sums are the same
// bits, in whatever parts the prompt is read.
type pool struct {
	sum  []float64
	n    int // vectors in it
	next int // the first token that has not been added
}

// add adds the vector of a token. One that is there already, because it was evaluated again, is
// not added twice.
func (p *pool) add(token int, state []float32) {
	if token < p.next {
		return
	}
	for j, x := range state {
		p.sum[j] += float64(x)
	}
	p.n++
	p.next = token + 1
}

// vector is the mean of what was added.
func (p *pool) vector() []float32 {
	v := make([]float32, len(p.sum))
	for j, x := range p.sum {
		v[j] = float32(x / float64(p.n))
	}
	return v
}

// embed has a step that reads a part of a prompt hand over the vectors that are wanted of it. A
// prompt that made room for others is read again, and what has been added stays: the vectors are
// the same.
func (t *reading) embed(st *mpt.Step) {
	q, done := t.q, t.done
	if q.pool.sum == nil {
		q.pool.sum = make([]float64, q.e.m.Config().Embedding)
	}
	st.Logits = mpt.AllStates
	if q.Pooling == LastPooling {
		st.First = len(q.Prompt) - 1 - done // perhaps beyond this part
	}
	st.Visit = func(i int, state []float32) error {
		q.pool.add(done+i, state)
		return nil
	}
}
