package train

import "mptgo/ggml/internal/scratch"

// queryBlock is how many queries share a pass over the keys on the way back.
const queryBlock = 8 * queryTile

// AttendBack is the way back through Attend: dO is the gradient of its results o. It sets the first
// Heads·Dim columns of dQ, and adds to the columns of dKV where keys and values lie in h.KV.
//
// A head of keys belongs to one task, which goes over its heads of queries in increasing order, over
// blocks of 48 queries and in these over tiles; the rows of keys are added to block by block.
func (e *Engine) AttendBack(dq, dkv, do, o, stats Rows, h *Heads, examples []Example) {
	e.run(len(examples)*h.KVHeads, func(task int, s *worker) {
		a := attend{e, h, &s.att, examples[task/h.KVHeads], 0}
		w, group := a.width(), h.group()
		clear(scratch.Grow(&a.s.dk, (a.x.N+spare)*w))
		clear(scratch.Grow(&a.s.dv, (a.x.N+spare)*w))
		kv := task % h.KVHeads
		for a.head = kv * group; a.head < (kv+1)*group; a.head++ {
			a.load()
			a.gather(&a.s.do, do, a.head*h.Dim)
			a.sortKeys(&a.s.vt, a.s.v)
			for i := 0; i < a.x.N; i += queryBlock {
				a.backward(i, min(queryBlock, a.x.N-i), dq, do, o, stats)
			}
		}
		a.deliver(dkv, h.Key+kv*h.Dim, a.s.dk)
		a.deliver(dkv, h.Value+kv*h.Dim, a.s.dv)
	})
}

// deliver adds gradients of keys or values to the columns from col on.
func (a *attend) deliver(to Rows, col int, from []float32) {
	w, d := a.width(), a.h.Dim
	for i := range a.x.N {
		a.vec().Add(to.Row(a.x.From + i)[col:col+d], from[i*w:][:d])
	}
}

// backward does the queries i to i+n.
func (a *attend) backward(i, n int, dq, do, o, stats Rows) {
	w := a.width()
	first := a.sees(i) / keyTile * keyTile
	keys := padded(i+n, keyTile) - first
	tall := padded(keys, queryTile)
	pt, st := scratch.Grow(&a.s.pt, tall*queryBlock), scratch.Grow(&a.s.st, tall*queryBlock)
	clear(pt)
	clear(st)
	for t := 0; t < n; t += queryTile {
		a.tileBack(i+t, min(queryTile, n-t), t, first, keys, dq, do, o, stats)
	}
	// Rows beyond the block are of other queries or zeros; their columns of pt and st are zero.
	wide := min(queryBlock, padded(n, queryTile))
	a.compact(pt, tall, wide)
	a.compact(st, tall, wide)
	for j := 0; j < tall; j += queryTile {
		a.addKeys(a.s.dv[(first+j)*w:], pt[j*wide:][:queryTile*wide], a.s.do[i*w:], wide)
		a.addKeys(a.s.dk[(first+j)*w:], st[j*wide:][:queryTile*wide], a.s.q[i*w:], wide)
	}
}

// compact moves rows of queryBlock values together of which only n are in use.
func (a *attend) compact(x []float32, rows, n int) {
	for r := 1; r < rows && n < queryBlock; r++ {
		copy(x[r*n:(r+1)*n], x[r*queryBlock:][:n])
	}
}

// addKeys adds to six rows of to the products of x, [6][n], with n rows of queries.
func (a *attend) addKeys(to, x, queries []float32, n int) {
	w := a.width()
	a.att().AddGram(to[:queryTile*w], w, x, queries[:n*w], w, n, w)
}

// tileBack makes, for a tile of queries from i on, the probabilities and the gradients of the scores of
// the keys from first on, puts them transposed into the columns of the block from t on, and sets dq.
func (a *attend) tileBack(i, rows, t, first, keys int, dq, do, o, stats Rows) {
	w := a.width()
	p, s := scratch.Grow(&a.s.s, queryTile*keys), scratch.Grow(&a.s.p, queryTile*keys)
	last := min(first+keys, padded(i+rows, keyTile))
	a.products(p, keys, a.s.q[i*w:], a.s.kt, first, last)
	a.products(s, keys, a.s.do[i*w:], a.s.vt, first, last)
	for r := range queryTile {
		prob, grad := p[r*keys:(r+1)*keys], s[r*keys:(r+1)*keys]
		from, to := 0, 0
		if r < rows {
			from, to = a.sees(i+r)-first, i+r+1-first
			at := a.x.From + i + r
			a.gradients(prob[from:to], grad[from:to], i+r, first+from, do.Row(at), o.Row(at), stats.Row(at))
		}
		clear(grad[:from])
		clear(grad[to:])
		for j := from; j < to; j++ {
			a.s.pt[j*queryBlock+t+r], a.s.st[j*queryBlock+t+r] = prob[j], grad[j]
		}
	}
	out := scratch.Grow(&a.s.out, queryTile*w)
	clear(out)
	a.sumValues(out, s, keys, a.s.k[first*w:])
	for r := range rows {
		to := dq.Row(a.x.From + i + r)[a.head*a.h.Dim:][:a.h.Dim]
		copy(to, out[r*w:])
		a.vec().Scale(to, a.h.Scale)
	}
}

// gradients turns the products of query i with the keys from position from on into probabilities, and
// those of its dO with the values into gradients of the scores before the cap.
func (a *attend) gradients(p, s []float32, i, from int, do, o, stats []float32) {
	d := a.h.Dim
	do, o, stats = do[a.head*d:], o[a.head*d:], stats[2*a.head:]
	delta := float32(sum(d, func(k int) float64 { return float64(float64(do[k]) * float64(o[k])) }))
	a.score(p, i, from)
	var capped []float32
	if a.h.Cap != 0 {
		capped = scratch.Grow(&a.s.f, len(p))
		a.capSlopes(capped, p, i, from)
	}
	top, inverse := stats[0], stats[1]
	for j := range p {
		p[j] -= top
	}
	a.vec().Exp(p, p)
	for j := range p {
		p[j] *= inverse
		s[j] = p[j] * (s[j] - delta)
	}
	if capped != nil {
		a.vec().Mul(s, capped)
	}
}

// capSlopes sets f to the derivative of the cap, 1 - (s/Cap)², where s is a score without its slope.
func (a *attend) capSlopes(f, scores []float32, i, from int) {
	slope, c := a.h.slope(a.head), float64(a.h.Cap)
	for j, v := range scores {
		t := (float64(v) - float64(float64(slope)*float64(from+j-i))) / c
		f[j] = float32(1 - float64(t*t))
	}
}
