package kernel

import (
	"encoding/binary"
	"fmt"
	"math"

	"mptgo/gguf"
)

// attKernels are the kernels of a tier for attention.
type attKernels struct {
	storeColumn func(dst []byte, src []float32) // a binary16 key into a tile of keys
	attend      func(a attention)
}

var attGeneric = attKernels{storeColumn: storeColumnGeneric, attend: attendGeneric}

// AttScratch is the memory that one worker's calls of [Tier.Attend] work in.
// The zero value is ready; it grows to what the largest head needs.
type AttScratch struct {
	query   []float32 // [QueryTile][Dim], scaled
	scores  []float32 // [QueryTile][Chunk], then their exponentials
	partial []float32 // [QueryTile][valueStride], the outputs of a chunk
	output  []float32 // [QueryTile][valueStride], the outputs so far
	sums    [QueryTile]softmax
}

// QueryTile is the number of queries that share the reading of keys and values.
// Calls for a multiple of it are the fastest; the results do not depend on it.
const QueryTile = 6

// softmax is the state of a softmax over some keys: the largest score and the
// sum of the exponentials of the scores less that.
type softmax struct {
	max, sum float32
}

// Attend computes one head of causal attention for n consecutive queries, the
// first of them at position pos. Query i is q[i*ldq:][:Dim], its result goes to
// out[i*ldo:][:Dim]; it sees the positions 0 to pos+i of a head of the cache,
// which must hold them.
//
// For a query at position i, q' = q·scale, rounded. The keys that it sees are
// treated in chunks of 512 positions. In a chunk, the score of key j is
//
//	s[j] = Σ fma(q'[e], k[j][e])   one after the other, e increasing, from +0
//	s[j] = fma(slope, float32(j-i), s[j])   unless slope is 0
//
// and with m the largest score, p[j] = [Exp](s[j]-m); l = [Fold] of sixteen lanes
// where lane j%16 sums p[j]; o[e] = Σ fma(p[j], v[j][e]), j increasing, from +0.
// The first chunk makes (M, L, O); a later one is merged with M' = max(M, m),
// a = Exp(M-M') and b = Exp(m-M'):
//
//	L = fma(L, a, l·b)   O[e] = fma(O[e], a, o[e]·b)   M = M'
//
// The result is O[e]·(1/L). A maximum passes over NaNs; they come back from Exp.
func (t *Tier) Attend(out []float32, ldo int, q []float32, ldq, n, pos, head int, kv *KV, scale, slope float32, s *AttScratch) {
	a := attention{out, q, ldo, ldq, n, pos, head, kv, scale, slope, s}
	if n == 0 {
		return
	}
	a.check()
	s.grow(kv.Dim)
	t.att.attend(a)
}

// attention is one call of [Tier.Attend].
type attention struct {
	out, q       []float32
	ldo, ldq     int
	n, pos, head int
	kv           *KV
	scale, slope float32
	s            *AttScratch
}

// check panics if an argument is out of range.
func (a *attention) check() {
	kv := a.kv
	last := a.pos + a.n - 1
	switch {
	case a.n < 0 || a.pos < 0 || last/Chunk >= len(kv.Pages):
		panic(fmt.Sprintf("kernel: Attend: positions %d to %d in a cache of %d pages", a.pos, last, len(kv.Pages)))
	case a.head < 0 || a.head >= kv.Heads:
		panic(fmt.Sprintf("kernel: Attend: head %d of %d", a.head, kv.Heads))
	case a.ldq < kv.Dim || len(a.q) < (a.n-1)*a.ldq+kv.Dim:
		panic(fmt.Sprintf("kernel: Attend: %d queries of %d, %d apart, in %d values", a.n, kv.Dim, a.ldq, len(a.q)))
	case a.ldo < kv.Dim || len(a.out) < (a.n-1)*a.ldo+kv.Dim:
		panic(fmt.Sprintf("kernel: Attend: %d results of %d, %d apart, in %d values", a.n, kv.Dim, a.ldo, len(a.out)))
	}
	k, v := pageBytes(kv.Type, kv.Heads, kv.Dim)
	for _, page := range kv.Pages[:last/Chunk+1] {
		same("Attend", len(page.K), k)
		same("Attend", len(page.V), v)
	}
}

func (s *AttScratch) grow(dim int) {
	grow(&s.query, QueryTile*dim)
	grow(&s.scores, QueryTile*Chunk)
	grow(&s.partial, QueryTile*valueStride(dim))
	grow(&s.output, QueryTile*valueStride(dim))
}

// merge adds a chunk to the state and returns the factors by which the outputs
// so far and those of the chunk count.
func (m *softmax) merge(chunk softmax) (old, new float32) {
	top := m.max
	if chunk.max > top {
		top = chunk.max
	}
	old, new = Exp(m.max-top), Exp(chunk.max-top)
	m.max, m.sum = top, FMA(m.sum, old, float32(chunk.sum*new))
	return old, new
}

// attendGeneric defines attention, one query after the other.
func attendGeneric(a attention) {
	for i := range a.n {
		a.attendOne(i)
	}
}

func (a *attention) attendOne(i int) {
	dim := a.kv.Dim
	q := grow(&a.s.query, dim)
	for e, x := range a.q[i*a.ldq:][:dim] {
		q[e] = x * a.scale
	}
	var total softmax
	output, partial := grow(&a.s.output, dim), grow(&a.s.partial, dim)
	for c := 0; c*Chunk <= a.pos+i; c++ {
		scores := grow(&a.s.scores, min(Chunk, a.pos+i+1-c*Chunk))
		a.scores(scores, q, a.kv.Pages[c], c*Chunk-(a.pos+i))
		chunk := exponentials(scores)
		a.weigh(partial, scores, a.kv.Pages[c])
		if c == 0 {
			total = chunk
			copy(output, partial)
			continue
		}
		old, new := total.merge(chunk)
		for e, o := range partial {
			output[e] = FMA(output[e], old, float32(o*new))
		}
	}
	inverse := 1 / total.sum
	for e, o := range output {
		a.out[i*a.ldo+e] = o * inverse
	}
}

// scores sets s to the scores of the first keys of a page; distance is the
// position of the first less that of the query.
func (a *attention) scores(s, q []float32, page *KVPage, distance int) {
	for j := range s {
		s[j] = 0
		for e, x := range q {
			s[j] = FMA(x, element(a.kv.Type, page.K, a.kv.KeyOffset(a.head, e, j)), s[j])
		}
		if a.slope != 0 {
			s[j] = FMA(a.slope, float32(distance+j), s[j])
		}
	}
}

// exponentials replaces scores by e^(s-max).
func exponentials(s []float32) softmax {
	top := float32(math.Inf(-1))
	for _, x := range s {
		if x > top {
			top = x
		}
	}
	var sum [lanes]float32
	for j, x := range s {
		s[j] = Exp(x - top)
		sum[j%lanes] += s[j]
	}
	return softmax{top, Fold(&sum)}
}

// weigh sets o to the sum of the first values of a page, each times its weight.
func (a *attention) weigh(o, weights []float32, page *KVPage) {
	clear(o)
	for j, p := range weights {
		row := a.kv.ValueOffset(a.head, j)
		for e := range o {
			o[e] = FMA(p, element(a.kv.Type, page.V, row+e), o[e])
		}
	}
}

// element returns element i of numbers of type F16 or F32.
func element(typ gguf.Type, b []byte, i int) float32 {
	if typ == gguf.F16 {
		return float16(b[2*i:])
	}
	return math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
}
