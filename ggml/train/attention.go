package train

import (
	"math"

	"mptgo/ggml"
	"mptgo/ggml/internal/att"
	"mptgo/ggml/internal/scalar"
	"mptgo/ggml/internal/scratch"
)

// Heads says where the queries, keys and values of attention lie.
type Heads struct {
	ggml.Attention
	Q          Rows // queries from column 0 on, a head after the other
	KV         Rows // of which
	Key, Value int  // these columns begin the keys and the values
}

// group returns how many heads of queries share a head of keys.
func (h *Heads) group() int { return h.Heads / h.KVHeads }

// slope returns the ALiBi slope of a head.
func (h *Heads) slope(head int) float32 {
	if h.Slopes == nil {
		return 0
	}
	return h.Slopes[head]
}

const (
	queryTile = att.GramRows    // queries of a tile
	keyTile   = att.GramColumns // keys of a tile
	chunk     = att.Chunk       // keys whose exponentials are added up together
)

// attention is the memory of a worker for one head of one example. Rows are filled up with zeros to a
// width that tiles divide.
type attention struct {
	q, do, k, v  []float32 // [tokens][width]; queries are scaled
	kt, vt       []float32 // the same sorted for tiles of keys: [tokens/16][width][16]
	s, p, f      []float32 // scores of a block of queries, and what becomes of them
	out, partial []float32
	pt, st       []float32 // transposed
	dk, dv       []float32
}

// Attend sets o, [N, Heads·Dim], to what every head makes of the values that it sees, and stats,
// [N, Heads·2], to the maximum of the scores and the reciprocal of the sum of their exponentials. The
// order of operations is that of att.Kernels.Attend.
func (e *Engine) Attend(o, stats Rows, h *Heads, examples []Example) {
	e.run(len(examples)*h.Heads, func(task int, s *worker) {
		a := attend{e, h, &s.att, examples[task/h.Heads], task % h.Heads}
		a.load()
		for i := 0; i < a.x.N; i += queryTile {
			a.forward(i, o, stats)
		}
	})
}

// attend is one head of one example.
type attend struct {
	*Engine
	h    *Heads
	s    *attention
	x    Example
	head int
}

// width returns that of the rows in memory.
func (a *attend) width() int { return padded(a.h.Dim, keyTile) }

// load copies queries, keys and values.
func (a *attend) load() {
	h, d := a.h, a.h.Dim
	a.gather(&a.s.q, h.Q, a.head*d)
	a.vec().Scale(a.s.q, h.Scale)
	kv := a.head / h.group() * d
	a.gather(&a.s.k, h.KV, h.Key+kv)
	a.gather(&a.s.v, h.KV, h.Value+kv)
	a.sortKeys(&a.s.kt, a.s.k)
}

// spare is how many rows of zeros follow those of an example, so that tiles may reach over its end.
const spare = 2 * keyTile

// gather sets to to columns of the example's rows.
func (a *attend) gather(to *[]float32, from Rows, col int) {
	w, d := a.width(), a.h.Dim
	buf := scratch.Grow(to, (a.x.N+spare)*w)
	clear(buf[a.x.N*w:])
	for i := range a.x.N {
		row := buf[i*w : (i+1)*w]
		copy(row, from.Row(a.x.From + i)[col:col+d])
		clear(row[d:])
	}
}

// sortKeys sets to to rows sorted for tiles.
func (a *attend) sortKeys(to *[]float32, rows []float32) {
	w := a.width()
	buf := scratch.Grow(to, padded(a.x.N, keyTile)*w)
	for j := range padded(a.x.N, keyTile) {
		tile := buf[j/keyTile*keyTile*w:]
		for k, v := range rows[j*w : (j+1)*w] {
			tile[k*keyTile+j%keyTile] = v
		}
	}
}

// sees returns the first position that query i sees; the last is its own.
func (a *attend) sees(i int) int {
	if a.h.Window > 0 {
		return max(0, i+1-a.h.Window)
	}
	return 0
}

// products sets s, rows ld values apart, to the products of six rows of x with keys from first to before
// last, both multiples of 16, in the sorted form.
func (a *attend) products(s []float32, ld int, x, sorted []float32, first, last int) {
	w := a.width()
	for j := first; j < last; j += keyTile {
		c := s[j-first:][:(queryTile-1)*ld+keyTile]
		for r := range queryTile {
			clear(c[r*ld:][:keyTile])
		}
		a.att().AddGram(c, ld, x[:queryTile*w], sorted[j*w:(j+keyTile)*w], keyTile, w, keyTile)
	}
}

// forward computes the results of queries i to i+5.
func (a *attend) forward(i int, o, stats Rows) {
	w, d := a.width(), a.h.Dim
	rows := min(queryTile, a.x.N-i)
	out := scratch.Grow(&a.s.out, queryTile*w)
	var sums [queryTile]softmax
	for r := range sums {
		sums[r].max = float32(math.Inf(-1))
	}
	for c := a.sees(i) / chunk * chunk; c < i+rows; c += chunk {
		a.chunk(i, rows, c, out, &sums)
	}
	for r := range rows {
		inverse := 1 / sums[r].sum
		to := o.Row(a.x.From + i + r)[a.head*d:][:d]
		copy(to, out[r*w:])
		a.vec().Scale(to, inverse)
		st := stats.Row(a.x.From + i + r)[2*a.head:]
		st[0], st[1] = sums[r].max, inverse
	}
}

// chunk adds the keys of a chunk, from position c on, to the results of a tile of queries.
func (a *attend) chunk(i, rows, c int, out []float32, sums *[queryTile]softmax) {
	w := a.width()
	first := max(c, a.sees(i)) / keyTile * keyTile
	last := min(c+chunk, padded(i+rows, keyTile))
	ld := last - first
	s := scratch.Grow(&a.s.s, queryTile*ld)
	a.products(s, ld, a.s.q[i*w:], a.s.kt, first, last)
	var chunks [queryTile]softmax
	for r := range queryTile {
		from, to := max(a.sees(i+r), first), min(i+r+1, last)
		if row := s[r*ld : (r+1)*ld]; r < rows && from < to {
			chunks[r] = a.exponentials(row, i+r, first, from, to)
		} else {
			clear(row)
		}
	}
	partial := scratch.Grow(&a.s.partial, queryTile*w)
	clear(partial)
	a.sumValues(partial, s, ld, a.s.v[first*w:])
	for r := range rows {
		if chunks[r].sum > 0 || chunks[r].sum != chunks[r].sum {
			sums[r].merge(out[r*w:(r+1)*w], partial[r*w:(r+1)*w], chunks[r])
		}
	}
}

// exponentials turns the scores of query i for positions from to before to into exponentials, and the
// others of the row, which begins at position first, into zeros.
func (a *attend) exponentials(row []float32, i, first, from, to int) softmax {
	seen := row[from-first : to-first]
	a.score(seen, i, from)
	clear(row[:from-first])
	clear(row[to-first:])
	top := float32(math.Inf(-1))
	for _, v := range seen {
		if v > top {
			top = v
		}
	}
	for j := range seen {
		seen[j] -= top
	}
	a.vec().Exp(seen, seen)
	var lanes [scalar.Lanes]float32
	for j, v := range seen {
		lanes[(from+j)%scalar.Lanes] += v
	}
	return softmax{top, scalar.Fold(&lanes)}
}

// score applies cap and slope to the scores of query i for the keys from position from on.
func (a *attend) score(s []float32, i, from int) {
	if a.h.Cap != 0 {
		a.vec().Softcap(s, a.h.Cap)
	}
	if slope := a.h.slope(a.head); slope != 0 {
		for j := range s {
			s[j] = scalar.FMA(slope, float32(from+j-i), s[j])
		}
	}
}

// sumValues adds to six rows of out the products of p, rows of n, with n rows of values.
func (a *attend) sumValues(out, p []float32, n int, values []float32) {
	w := a.width()
	a.att().AddGram(out[:queryTile*w], w, p[:queryTile*n], values[:n*w], w, n, w)
}

// softmax is the largest score and the sum of the exponentials of the scores less that.
type softmax struct{ max, sum float32 }

// merge adds the sums of a chunk to those before.
func (m *softmax) merge(out, partial []float32, chunk softmax) {
	if math.IsInf(float64(m.max), -1) && m.sum == 0 {
		*m = chunk
		copy(out, partial)
		return
	}
	top := m.max
	if chunk.max > top {
		top = chunk.max
	}
	old, new := scalar.Exp(m.max-top), scalar.Exp(chunk.max-top)
	m.max, m.sum = top, scalar.FMA(m.sum, old, float32(chunk.sum*new))
	for k, v := range partial {
		out[k] = scalar.FMA(out[k], old, float32(v*new))
	}
}
