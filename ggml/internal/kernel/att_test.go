package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"mptgo/gguf"
)

var cacheTypes = []gguf.Type{gguf.F16, gguf.F32}

// headCase is a case of attention: keys and values of two heads, and queries.
type headCase struct {
	kv     *KV
	k, v   [][]float32 // by position
	q      []float32   // [n][ldq]
	ldq    int
	pos, n int
	head   Head
}

// newHeadCase fills a cache, whose memory is guarded, up to the last position
// that is seen. Later ones hold NaNs, as they may after a cache was truncated.
func newHeadCase(t testing.TB, typ gguf.Type, dim, pos, n int, keys, values filler) *headCase {
	r := rand.New(rand.NewPCG(uint64(dim), uint64(pos)))
	c := &headCase{pos: pos, n: n, ldq: dim + 3, head: Head{KV: 1, Scale: float32(1 / math.Sqrt(float64(dim))), Slope: 0.125}}
	c.kv = &KV{Type: typ, Heads: 2, Dim: dim}
	nan := make([]float32, 2*dim)
	for i := range nan {
		nan[i] = float32(math.NaN())
	}
	for p := range (pos + n + Chunk - 1) / Chunk * Chunk {
		if p%Chunk == 0 {
			page := NewKVPage(typ, 2, dim)
			c.kv.Pages = append(c.kv.Pages, &KVPage{K: guarded(t, page.K), V: guarded(t, page.V)})
		}
		if p >= pos+n {
			Generic().StoreKV(c.kv, p, nan, nan)
			continue
		}
		k, v := make([]float32, 2*dim), make([]float32, 2*dim)
		keys.fill(r, k)
		values.fill(r, v)
		Generic().StoreKV(c.kv, p, k, v)
		c.k, c.v = append(c.k, k), append(c.v, v)
	}
	c.q = make([]float32, n*c.ldq)
	fillers[0].fill(r, c.q)
	c.q = guarded(t, c.q[:(n-1)*c.ldq+dim])
	return c
}

// attend computes queries from first to before last of the second head in one
// call and returns them one after the other.
func (c *headCase) attend(tier *Tier, first, last int, s *AttScratch) []float32 {
	out := make([]float32, (last-first)*c.kv.Dim)
	tier.Attend(out, c.kv.Dim, c.q[first*c.ldq:], c.ldq, last-first, c.pos+first, c.head, c.kv, s)
	return out
}

// attCases are positions and numbers of queries around the ends of tiles and chunks.
var attCases = []struct{ pos, n int }{
	{0, 1}, {0, 40}, {0, 2}, {0, 13}, {30, 3}, {500, 1}, {505, 14}, {511, 1}, {511, 2}, {512, 6}, {700, 7}, {1020, 12}, {1535, 1},
}

// variants are the windows and the limits of scores that are tested; the first is MPT's.
var variants = []struct {
	window int
	cap    float32
}{{0, 0}, {1, 0}, {17, 0}, {3, 2}, {0, 2}, {100, 0}, {513, 1}, {600, 0}, {16, 0}, {5000, 0}}

func TestAttendTiers(t *testing.T) {
	dims := []int{1, 7, 8, 24, 40, 64, 72, 80, 96, 112, 128, 136}
	if testing.Short() {
		dims = []int{7, 72, 128}
	}
	for _, tier := range All()[1:] {
		for _, typ := range cacheTypes {
			for _, dim := range dims {
				t.Run(fmt.Sprintf("type=%v/d=%d/isa=%s", typ, dim, tier.Name), func(t *testing.T) {
					for i, at := range attCases {
						c := newHeadCase(t, typ, dim, at.pos, at.n, fillers[0], fillers[i%2*3])
						c.head.Slope *= float32(i % 3)
						for _, v := range variants[:1+i%len(variants)] {
							c.head.Window, c.head.Cap = v.window, v.cap
							var s AttScratch
							if !sameFloats(c.attend(tier, 0, at.n, &s), c.attend(Generic(), 0, at.n, &s)) {
								t.Fatalf("%d queries at %d, %+v: not what the definition gives", at.n, at.pos, c.head)
							}
						}
					}
				})
			}
		}
	}
}

func TestAttendHostile(t *testing.T) {
	for _, tier := range All()[1:] {
		for _, typ := range cacheTypes {
			for _, f := range fillers[1:] {
				for i, at := range attCases[:6] {
					c := newHeadCase(t, typ, 16, at.pos, at.n, f, f)
					c.head.Window, c.head.Cap = i%3*5, float32(i%2)
					var s AttScratch
					if !sameFloats(c.attend(tier, 0, at.n, &s), c.attend(Generic(), 0, at.n, &s)) {
						t.Fatalf("isa=%s, %v, %s, %d queries at %d: not what the definition gives", tier.Name, typ, f.name, at.n, at.pos)
					}
				}
			}
		}
	}
}

// TestAttendSplit computes the same queries in calls of all sizes.
func TestAttendSplit(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, tier := range All() {
		for i, typ := range append(cacheTypes, cacheTypes...) {
			c := newHeadCase(t, typ, 40, 500, 23, fillers[0], fillers[0])
			c.head.Window = i / 2 * 11 // all of it is in the second chunk for some
			var s AttScratch
			want := c.attend(tier, 0, c.n, &s)
			for size := range c.n + 10 {
				var got []float32
				for i := 0; i < c.n; {
					next := min(c.n, i+size)
					if size == 0 || size > c.n {
						next = i + 1 + r.IntN(c.n-i)
					}
					got = append(got, c.attend(tier, i, next, &s)...)
					i = next
				}
				if !sameFloats(got, want) {
					t.Fatalf("isa=%s, %v: calls of %d queries give another result", tier.Name, typ, size)
				}
			}
		}
	}
}

// TestAttendMeaning holds the definition against softmax in float64. With
// weights that sum to 1 and values of size 3, an error of δ in the scores makes
// one of about 10·δ; 1e-6 is that of scores of size 10.
func TestAttendMeaning(t *testing.T) {
	for i, at := range append(attCases, attCases...) {
		c := newHeadCase(t, gguf.F32, 48, at.pos, at.n, fillers[0], fillers[0])
		v := variants[i%len(variants)]
		c.head.Window, c.head.Cap = v.window, v.cap
		got := c.attend(Generic(), 0, at.n, new(AttScratch))
		for i := range at.n {
			for e, want := range c.exact(i) {
				if v := float64(got[i*48+e]); !(math.Abs(v-want) < 2e-5) {
					t.Fatalf("query %d of %v, %+v, element %d is %v, want %v", i, at, c.head, e, v, want)
				}
			}
		}
	}
}

// exact returns the result of query i in float64.
func (c *headCase) exact(i int) []float64 {
	dim := c.kv.Dim
	out := make([]float64, dim)
	sum, shift := 0.0, 0.0
	for j := c.pos + i; j >= 0; j-- {
		if w := c.head.Window; w > 0 && j <= c.pos+i-w {
			break
		}
		s := 0.0
		for e, x := range c.q[i*c.ldq:][:dim] {
			s += float64(x) * float64(c.k[j][dim+e])
		}
		s *= float64(c.head.Scale)
		if limit := float64(c.head.Cap); limit > 0 {
			s = limit * math.Tanh(s/limit)
		}
		s += float64(c.head.Slope) * float64(j-c.pos-i)
		if j == c.pos+i {
			shift = s
		}
		p := math.Exp(s - shift)
		sum += p
		for e := range out {
			out[e] += p * float64(c.v[j][dim+e])
		}
	}
	for e := range out {
		out[e] /= sum
	}
	return out
}

// TestStoreKV checks that all tiers write the documented layout.
func TestStoreKV(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, tier := range All() {
		for _, typ := range cacheTypes {
			for _, dim := range []int{1, 5, 8, 13, 64, 80} {
				kv := &KV{Type: typ, Heads: 3, Dim: dim, Pages: []*KVPage{NewKVPage(typ, 3, dim), NewKVPage(typ, 3, dim)}}
				stride := kv.ValueStride()
				for _, pos := range []int{0, 1, 31, 32, 511, 512, 600, 1023} {
					k, v := make([]float32, 3*dim), make([]float32, 3*dim)
					fillers[2].fill(r, k)
					fillers[2].fill(r, v)
					tier.StoreKV(kv, pos, k, v)
					page, p := kv.Pages[pos/512], pos%512
					for i := range k {
						h, e := i/dim, i%dim
						gotK := element(typ, page.K, ((h*16+p/32)*dim+e)*32+p%32)
						gotV := element(typ, page.V, (h*512+p)*stride+e)
						want := []float32{k[i], v[i]}
						if typ == gguf.F16 {
							want = []float32{throughHalf(k[i]), throughHalf(v[i])}
						}
						if !sameFloats([]float32{gotK, gotV}, want) {
							t.Fatalf("isa=%s, %v, head %d, position %d, element %d: got %v and %v, want %v", tier.Name, typ, h, pos, e, gotK, gotV, want)
						}
					}
				}
				if dim%8 != 0 && element(typ, kv.Pages[0].V, dim) != 0 {
					t.Fatalf("the padding of a value was written")
				}
			}
		}
	}
}

func throughHalf(x float32) float32 {
	var b [2]byte
	putFloat16(b[:], x)
	return float16(b[:])
}

func TestAttendAllocates(t *testing.T) {
	for _, tier := range All() {
		c := newHeadCase(t, gguf.F16, 64, 100, 8, fillers[0], fillers[0])
		out := make([]float32, 8*64)
		var s AttScratch
		if n := testing.AllocsPerRun(3, func() {
			tier.StoreKV(c.kv, 107, c.k[107], c.v[107])
			tier.Attend(out, 64, c.q, c.ldq, 8, 100, c.head, c.kv, &s)
		}); n != 0 {
			t.Errorf("isa=%s: %v allocations", tier.Name, n)
		}
	}
}

func TestAttendRefuses(t *testing.T) {
	c := newHeadCase(t, gguf.F16, 8, 0, 2, fillers[0], fillers[0])
	var s AttScratch
	out := make([]float32, 16)
	for what, call := range map[string]func(){
		"a position outside":   func() { Best().Attend(out, 8, c.q, c.ldq, 1, Chunk, Head{}, c.kv, &s) },
		"a head too many":      func() { Best().Attend(out, 8, c.q, c.ldq, 1, 0, Head{KV: 2}, c.kv, &s) },
		"a negative window":    func() { Best().Attend(out, 8, c.q, c.ldq, 1, 0, Head{Window: -1}, c.kv, &s) },
		"a short result":       func() { Best().Attend(out[:15], 8, c.q, c.ldq, 2, 0, Head{}, c.kv, &s) },
		"short queries":        func() { Best().Attend(out, 8, c.q[:8], 8, 2, 0, Head{}, c.kv, &s) },
		"a type of no kernel":  func() { NewKVPage(gguf.Q8_0, 1, 8) },
		"a store past the end": func() { Best().StoreKV(c.kv, Chunk, c.q[:16], c.q[:16]) },
	} {
		t.Run(what, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("accepted")
				}
			}()
			call()
		})
	}
}

// BenchmarkAttend reports the speed of one head: in bytes of the cache read for
// a single query, in operations for a batch.
func BenchmarkAttend(b *testing.B) {
	for _, tier := range All() {
		for _, typ := range cacheTypes {
			for _, dim := range []int{64, 80, 96, 112, 128} {
				for _, at := range []struct{ pos, n int }{{4095, 1}, {0, 512}, {1536, 512}} {
					name := fmt.Sprintf("type=%v/d=%d/pos=%d/n=%d/isa=%s", typ, dim, at.pos, at.n, tier.Name)
					b.Run(name, func(b *testing.B) { benchmarkAttend(b, tier, typ, dim, at.pos, at.n) })
				}
			}
		}
	}
}

func benchmarkAttend(b *testing.B, tier *Tier, typ gguf.Type, dim, pos, n int) {
	const heads = 16 // more than a cache holds
	r := rand.New(rand.NewPCG(9, 10))
	kv := &KV{Type: typ, Heads: heads, Dim: dim}
	k := make([]float32, heads*dim)
	for p := range pos + n {
		if p%Chunk == 0 {
			kv.Pages = append(kv.Pages, NewKVPage(typ, heads, dim))
		}
		fillers[0].fill(r, k)
		tier.StoreKV(kv, p, k, k)
	}
	q, out := make([]float32, n*dim), make([]float32, n*dim)
	fillers[0].fill(r, q)
	var s AttScratch
	head := 0
	for b.Loop() {
		tier.Attend(out, dim, q, dim, n, pos, Head{KV: head, Scale: 0.1, Slope: 0.01}, kv, &s)
		head = (head + 1) % heads
	}
	pairs := n*pos + n*(n+1)/2
	if n == 1 {
		b.SetBytes(int64(2 * pairs * dim * kv.ElementBytes()))
	}
	b.ReportMetric(4e-9*float64(pairs*dim*b.N)/b.Elapsed().Seconds(), "GFLOP/s")
}

func BenchmarkStoreKV(b *testing.B) {
	for _, tier := range All() {
		for _, typ := range cacheTypes {
			b.Run(fmt.Sprintf("type=%v/isa=%s", typ, tier.Name), func(b *testing.B) {
				kv := &KV{Type: typ, Heads: 32, Dim: 128, Pages: []*KVPage{NewKVPage(typ, 32, 128)}}
				k := make([]float32, 32*128)
				b.SetBytes(2 * 4 * 32 * 128)
				pos := 0
				for b.Loop() {
					tier.StoreKV(kv, pos, k, k)
					pos = (pos + 1) % Chunk
				}
			})
		}
	}
}
