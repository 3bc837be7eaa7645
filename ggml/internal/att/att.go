// Package att holds attention and its caches: pages of keys and values, the definition and the
// course around the kernels; and Gram matrices, which are made of the same float tile.
package att

import (
	"fmt"
	"math"

	"mptgo/ggml/internal/act"
	"mptgo/ggml/internal/cpu"
	"mptgo/ggml/internal/scalar"
	"mptgo/ggml/internal/scratch"
	"mptgo/ggml/internal/vec"
	"mptgo/gguf"
)

// Kernels are the kernels of a tier for attention.
type Kernels struct {
	vec vec.Kernels
	act act.Kernels

	storeColumn func(dst []byte, src []float32) // a binary16 key into a tile of keys
	attend      func(a attention)
	gram        gramTile
}

// wideTile adds to six rows of thirty-two columns of c the product of a, [6][k], and
// b, [k][32] of a cache's elements. Strides are in elements.
type wideTile func(c *float32, ldc int, a *float32, lda int, b *byte, ldb, k int)

var generic = Kernels{
	vec: vec.Generic, act: act.Generic, storeColumn: storeColumnGeneric, attend: attendGeneric, gram: gramGeneric,
}

// loneKernels are kernels for a lone query. Those of a type that are nil are missing.
type loneKernels struct {
	// scores and scoresQ8 set s to the products of q, [k], with the keys of 2 tiles, or of 4 if that is most, of F16
	// and Q8_0.
	scores, scoresQ8 func(s, q *float32, w *keyWalk, tiles, k int)
	most             int

	// weigh adds to o, [loneValues], the first elements of n values of F16, row bytes apart, each times its weight.
	// For each it fetches some cache lines at ahead and moves ahead by step.
	weigh func(o, weights *float32, values *byte, row, n int, ahead uintptr, step int)

	// weighQ8 does the same for 128, 112 or 64 elements of Q8_0, whose scales lie elsewhere.
	weighQ8 func(o, weights *float32, codes, scales *byte, row, n, width int, ahead uintptr, step int)
}

// keyWalk is some tiles of keys that are read together, and the pieces that are fetched meanwhile.
type keyWalk struct {
	tiles [4]*byte
	ahead [4]uintptr
}

// loneValues is how many elements of values loneKernels.weigh takes.
const loneValues = 128

// For returns the kernels of a level: those that its name has in the table of the
// architecture. It panics if the table lacks it.
func For(l cpu.Level) Kernels {
	if k, ok := levels[l.Name]; ok {
		return k
	}
	if l.Name != "generic" {
		panic("att: no kernels of attention for the level " + l.Name)
	}
	return generic
}

// Scratch is the memory that one worker's calls of [Kernels.Attend] work in.
// The zero value is ready; it grows to what the largest head needs.
type Scratch struct {
	query   []float32 // [QueryTile][Dim], scaled
	scores  []float32 // [QueryTile][Chunk], then their exponentials
	partial []float32 // [QueryTile][ValueStride], the outputs of a chunk
	output  []float32 // [unpackQueries][ValueStride], the outputs so far
	sums    [unpackQueries]softmax
	row     []float32 // [Dim], a key or a value
	plain   plainChunk
	walk    keyWalk
	block   kvBlock
}

// plainChunk is a chunk of a head of a cache of which something had to be decoded.
type plainChunk struct {
	kv           KV     // that the queries attend to: the types are those of what is decoded
	keys, values []byte // of the chunk side by side, nil if they lie in the cache as they are
	k, v         []float32
}

// unpackQueries is the number of queries that share the decoding of a chunk of a cache
// of a block type.
const unpackQueries = 8 * QueryTile

// QueryTile is the number of queries that share the reading of keys and values.
// Calls for a multiple of it are the fastest; the results do not depend on it.
const QueryTile = 6

// softmax is the state of a softmax over some keys: the largest score and the
// sum of the exponentials of the scores less that.
type softmax struct {
	max, sum float32
}

// A Head says how a head of queries attends.
type Head struct {
	KV     int     // the head of the cache that holds its keys and values
	Scale  float32 // of the products of query and key
	Cap    float32 // scores are limited softly to [-Cap, Cap]; 0 = not at all
	Slope  float32 // of ALiBi; 0 = none
	Window int     // how many positions a query sees, the last of them its own; 0 = all
}

// Sees returns the positions of chunk c that the query at position i sees, relative
// to the chunk, from first to before last: none if first >= last.
func (h *Head) Sees(i, c int) (first, last int) {
	last = min(i+1-c*Chunk, Chunk)
	if h.Window > 0 {
		first = max(i+1-h.Window-c*Chunk, 0)
	}
	return first, last
}

// FirstChunk returns the first chunk of which the query at position i sees anything.
func (h *Head) FirstChunk(i int) int {
	if h.Window > 0 && i >= h.Window {
		return (i + 1 - h.Window) / Chunk
	}
	return 0
}

// Attend computes one head of causal attention for n consecutive queries, the
// first of them at position pos. Query i is q[i*ldq:][:Dim], its result goes to
// out[i*ldo:][:Dim]; it sees positions up to pos+i of a head of the cache,
// which must hold them: all, or the last ones if h has a window. An element of a block
// type is scale·code, exactly.
//
// For a query at position i, q' = q·Scale, rounded. The keys that it sees are
// treated in chunks of 512 positions, whose borders are the same for all queries. In
// a chunk, the score of key j is
//
//	s[j] = Σ fma(q'[e], k[j][e])   one after the other, e increasing, from +0
//	s[j] = Cap·Tanh(s[j]·(1/Cap))   unless Cap is 0: see [vec.Kernels.Softcap]
//	s[j] = fma(Slope, float32(j-i), s[j])   unless Slope is 0
//
// and with m the largest score, p[j] = [scalar.Exp](s[j]-m); l = [scalar.Fold] of sixteen lanes
// where lane j%16 sums p[j], j counted from the start of the chunk;
// o[e] = Σ fma(p[j], v[j][e]), j increasing, from +0.
// The first chunk with a key that is seen makes (M, L, O); a later one is merged with M' = max(M, m),
// a = Exp(M-M') and b = Exp(m-M'):
//
//	L = fma(L, a, l·b)   O[e] = fma(O[e], a, o[e]·b)   M = M'
//
// The result is O[e]·(1/L). A maximum passes over NaNs; they come back from Exp.
func (k *Kernels) Attend(out []float32, ldo int, q []float32, ldq, n, pos int, h Head, kv *KV, s *Scratch) {
	a := attention{Head: h, out: out, q: q, ldo: ldo, ldq: ldq, n: n, pos: pos, kv: kv, s: s}
	if n == 0 {
		return
	}
	a.check()
	s.grow(kv)
	k.attend(a)
}

// pieces are what a lone query reads of a chunk, each the keys or the values of its head in
// a page: first all keys, then all values. See [attention.fetch].
type pieces struct {
	tile, n     int // the first page, counted from the start of the cache, and how many
	ahead       int // while one is read, the one so many pieces later is fetched
	next, after int // the page of the keys that are read after the chunk, and how many there are
	head        int // that those are of
}

// attention is one call of [Kernels.Attend].
type attention struct {
	Head
	out, q   []float32
	ldo, ldq int
	n, pos   int
	kv       *KV
	s        *Scratch

	wide   func(gguf.Type) wideTile // of a tier that has such
	lone   *loneKernels             // the same
	near   pieces                   // the chunk in work of a lone query
	output []float32                // of the queries of a tile, in s
	sums   []softmax
	plain  *plainChunk // the chunk in work, if something of it had to be decoded
}

// check panics if an argument is out of range.
func (a *attention) check() {
	kv := a.kv
	last := a.pos + a.n - 1
	switch {
	case a.n < 0 || a.pos < 0 || last/PageSize >= len(kv.Pages):
		panic(fmt.Sprintf("att: Attend: positions %d to %d in a cache of %d pages", a.pos, last, len(kv.Pages)))
	case a.KV < 0 || a.KV >= kv.Heads || a.Window < 0:
		panic(fmt.Sprintf("att: Attend: head %d of %d, window %d", a.KV, kv.Heads, a.Window))
	case a.ldq < kv.Dim || len(a.q) < (a.n-1)*a.ldq+kv.Dim:
		panic(fmt.Sprintf("att: Attend: %d queries of %d, %d apart, in %d values", a.n, kv.Dim, a.ldq, len(a.q)))
	case a.ldo < kv.Dim || len(a.out) < (a.n-1)*a.ldo+kv.Dim:
		panic(fmt.Sprintf("att: Attend: %d results of %d, %d apart, in %d values", a.n, kv.Dim, a.ldo, len(a.out)))
	}
	k, v := kv.keyBytes(), kv.valueBytes()
	for _, page := range kv.Pages[:last/PageSize+1] {
		vec.SameLength("Attend", len(page.K), k)
		vec.SameLength("Attend", len(page.V), v)
	}
}

func (s *Scratch) grow(kv *KV) {
	scratch.Grow(&s.query, QueryTile*kv.Dim)
	scratch.Grow(&s.scores, QueryTile*Chunk)
	scratch.Grow(&s.partial, QueryTile*kv.ValueStride())
	scratch.Grow(&s.output, unpackQueries*kv.ValueStride())
}

// merge adds a chunk to the state and returns the factors by which the outputs
// so far and those of the chunk count.
func (m *softmax) merge(chunk softmax) (old, new float32) {
	top := m.max
	if chunk.max > top {
		top = chunk.max
	}
	old, new = scalar.Exp(m.max-top), scalar.Exp(chunk.max-top)
	m.max, m.sum = top, scalar.FMA(m.sum, old, float32(chunk.sum*new))
	return old, new
}

// attendGeneric defines attention, one query after the other.
func attendGeneric(a attention) {
	for i := range a.n {
		a.attendOne(i)
	}
}

func (a *attention) attendOne(i int) {
	dim, at := a.kv.Dim, a.pos+i
	q := scratch.Grow(&a.s.query, dim)
	for e, x := range a.q[i*a.ldq:][:dim] {
		q[e] = x * a.Scale
	}
	var total softmax
	output, partial := scratch.Grow(&a.s.output, dim), scratch.Grow(&a.s.partial, dim)
	for c := a.FirstChunk(at); c*Chunk <= at; c++ {
		first, last := a.Sees(at, c)
		scores := scratch.Grow(&a.s.scores, last)
		a.scores(scores, first, q, c, c*Chunk-at)
		chunk := exponentials(scores, first)
		a.sumValues(partial, scores, first, c)
		if c == a.FirstChunk(at) {
			total = chunk
			copy(output, partial)
			continue
		}
		old, new := total.merge(chunk)
		for e, o := range partial {
			output[e] = scalar.FMA(output[e], old, float32(o*new))
		}
	}
	inverse := 1 / total.sum
	for e, o := range output {
		a.out[i*a.ldo+e] = o * inverse
	}
}

// scores sets s from first on to the scores of the keys of chunk c; distance is the
// position of the chunk's first key less that of the query.
func (a *attention) scores(s []float32, first int, q []float32, c, distance int) {
	key := scratch.Grow(&a.s.row, len(q))
	for j := first; j < len(s); j++ {
		a.kv.readKey(key, a.page(c, j), a.KV, j%PageSize)
		s[j] = 0
		for e, x := range q {
			s[j] = scalar.FMA(x, key[e], s[j])
		}
	}
	if a.Cap != 0 {
		vec.SoftcapGeneric(s[first:], a.Cap)
	}
	if a.Slope != 0 {
		for j := first; j < len(s); j++ {
			s[j] = scalar.FMA(a.Slope, float32(distance+j), s[j])
		}
	}
}

// exponentials replaces scores from first on by e^(s-max).
func exponentials(s []float32, first int) softmax {
	top := float32(math.Inf(-1))
	for _, x := range s[first:] {
		if x > top {
			top = x
		}
	}
	var sum [scalar.Lanes]float32
	for j := first; j < len(s); j++ {
		s[j] = scalar.Exp(s[j] - top)
		sum[j%scalar.Lanes] += s[j]
	}
	return softmax{top, scalar.Fold(&sum)}
}

// page returns the page of position j of chunk c.
func (a *attention) page(c, j int) *KVPage { return a.kv.Pages[(c*Chunk+j)/PageSize] }

// sumValues sets o to the sum of the values of chunk c from position first on, each times
// its weight.
func (a *attention) sumValues(o, weights []float32, first, c int) {
	clear(o)
	value := scratch.Grow(&a.s.row, len(o))
	for j := first; j < len(weights); j++ {
		a.kv.readValue(value, a.page(c, j), a.KV, j%PageSize)
		for e, v := range value {
			o[e] = scalar.FMA(weights[j], v, o[e])
		}
	}
}
