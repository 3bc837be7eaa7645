package att

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"mptgo/ggml/internal/probe"
	"mptgo/ggml/internal/scalar"
	"mptgo/gguf"
)

// cacheType is the types of a cache.
type cacheType struct{ key, value gguf.Type }

func (c cacheType) String() string { return fmt.Sprintf("%v-%v", c.key, c.value) }

func (c cacheType) cache(heads, dim int) *KV {
	return &KV{KeyType: c.key, ValueType: c.value, Heads: heads, Dim: dim}
}

// elementTypes are the types of elements, cacheTypes one cache of each and mixed ones.
var (
	elementTypes = CacheTypes[:]
	cacheTypes   = []cacheType{
		{gguf.F16, gguf.F16}, {gguf.F32, gguf.F32}, {gguf.Q8_0, gguf.Q8_0}, {gguf.Q4_0, gguf.Q4_0},
		{gguf.Q8_0, gguf.F16}, {gguf.F16, gguf.Q4_0}, {gguf.Q4_0, gguf.F32}, {gguf.F32, gguf.Q8_0}, {gguf.F16, gguf.F32},
	}
)

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
func newHeadCase(t testing.TB, typ cacheType, dim, pos, n int, keys, values probe.Filler) *headCase {
	r := rand.New(rand.NewPCG(uint64(dim), uint64(pos)))
	c := &headCase{pos: pos, n: n, ldq: dim + 3, head: Head{KV: 1, Scale: float32(1 / math.Sqrt(float64(dim))), Slope: 0.125}}
	c.kv = typ.cache(2, dim)
	var s Scratch
	nan := make([]float32, 2*dim)
	for i := range nan {
		nan[i] = float32(math.NaN())
	}
	for p := range (pos + n + PageSize - 1) / PageSize * PageSize {
		if p%PageSize == 0 {
			page := c.kv.NewPage()
			c.kv.Pages = append(c.kv.Pages, &KVPage{K: probe.Guarded(t, page.K), V: probe.Guarded(t, page.V)})
		}
		if p >= pos+n {
			generic.StoreKV(c.kv, p, nan, nan, &s)
			continue
		}
		k, v := make([]float32, 2*dim), make([]float32, 2*dim)
		keys.Fill(r, k)
		values.Fill(r, v)
		generic.StoreKV(c.kv, p, k, v, &s)
		c.k, c.v = append(c.k, k), append(c.v, v)
	}
	c.q = make([]float32, n*c.ldq)
	probe.Fillers[0].Fill(r, c.q)
	c.q = probe.Guarded(t, c.q[:(n-1)*c.ldq+dim])
	return c
}

// attend computes queries from first to before last of the second head in one
// call and returns them one after the other.
func (c *headCase) attend(tier set, first, last int, s *Scratch) []float32 {
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
	tiers := tested()[1:]
	if len(tiers) == 0 {
		t.Skip("no tier but the definition")
	}
	for nth, typ := range cacheTypes {
		dims := dims
		if nth >= len(elementTypes) && len(dims) > 2 {
			dims = []int{7, 80} // whatever is left is tested with the types alone
		}
		for d, dim := range dims {
			t.Run(fmt.Sprintf("type=%v/d=%d", typ, dim), func(t *testing.T) {
				for i, at := range attCases {
					c := newHeadCase(t, typ, dim, at.pos, at.n, probe.Fillers[0], probe.Fillers[i%2*3])
					c.head.Slope *= float32(i % 3)
					for j, v := range variants[:1+i%len(variants)] {
						if testing.Short() && (i+j+nth+d)%3 != 0 {
							continue // another dim's turn
						}
						c.head.Window, c.head.Cap = v.window, v.cap
						var s Scratch
						want := c.attend(definition, 0, at.n, &s)
						for _, tier := range tiers {
							if !probe.SameFloats(c.attend(tier, 0, at.n, &s), want) {
								t.Fatalf("isa=%s, %d queries at %d, %+v: not what the definition gives", tier.Name, at.n, at.pos, c.head)
							}
						}
					}
				}
			})
		}
	}
}

func TestAttendHostile(t *testing.T) {
	for _, tier := range tested()[1:] {
		for _, typ := range cacheTypes {
			for _, f := range probe.Fillers[1:] {
				for i, at := range attCases[:6] {
					c := newHeadCase(t, typ, 16, at.pos, at.n, f, f)
					c.head.Window, c.head.Cap = i%3*5, float32(i%2)
					var s Scratch
					if !probe.SameFloats(c.attend(tier, 0, at.n, &s), c.attend(definition, 0, at.n, &s)) {
						t.Fatalf("isa=%s, %v, %s, %d queries at %d: not what the definition gives", tier.Name, typ, f.Name, at.n, at.pos)
					}
				}
			}
		}
	}
}

// TestAttendSplit computes the same queries in calls of all sizes.
func TestAttendSplit(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, tier := range tested() {
		for i, typ := range cacheTypes {
			if testing.Short() && i >= len(elementTypes) {
				break
			}
			c := newHeadCase(t, typ, 40, 500, 23, probe.Fillers[0], probe.Fillers[0])
			c.head.Window = i % 3 * 11 // all of it is in the second chunk for some
			var s Scratch
			want := c.attend(tier, 0, c.n, &s)
			for size := range c.n + 10 {
				if testing.Short() && size%5 > 1 {
					continue
				}
				var got []float32
				for i := 0; i < c.n; {
					next := min(c.n, i+size)
					if size == 0 || size > c.n {
						next = i + 1 + r.IntN(c.n-i)
					}
					got = append(got, c.attend(tier, i, next, &s)...)
					i = next
				}
				if !probe.SameFloats(got, want) {
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
		c := newHeadCase(t, cacheTypes[1], 48, at.pos, at.n, probe.Fillers[0], probe.Fillers[0])
		v := variants[i%len(variants)]
		c.head.Window, c.head.Cap = v.window, v.cap
		got := c.attend(definition, 0, at.n, new(Scratch))
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

// TestStoreKV checks that all tiers write the documented layout, for each type what its
// format says.
func TestStoreKV(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, tier := range tested() {
		for _, typ := range elementTypes {
			for _, dim := range []int{1, 5, 8, 13, 31, 40, 64, 80} {
				kv := (cacheType{typ, typ}).cache(3, dim)
				for range 1024 / PageSize {
					kv.Pages = append(kv.Pages, kv.NewPage())
				}
				var s Scratch
				for i, pos := range []int{0, 1, 31, 32, 511, 512, 600, 1023} {
					k, v := make([]float32, 3*dim), make([]float32, 3*dim)
					probe.Fillers[i%4].Fill(r, k)
					probe.Fillers[i%4].Fill(r, v)
					tier.StoreKV(kv, pos, k, v, &s)
					for h := range 3 {
						page, p := kv.Pages[pos/32], pos%32
						key, value := storedKey(kv, page, h, p), storedValue(kv, page, h, p)
						if !probe.SameFloats(key, cached(typ, k[h*dim:][:dim])) || !probe.SameFloats(value, cached(typ, v[h*dim:][:dim])) {
							t.Fatalf("isa=%s, %v, d=%d, head %d, position %d: got %v and %v, want %v and %v", tier.Name, typ, dim, h, pos,
								key, value, cached(typ, k[h*dim:][:dim]), cached(typ, v[h*dim:][:dim]))
						}
					}
				}
			}
		}
	}
}

// storedKey reads a key as the comment of KVPage says.
func storedKey(kv *KV, page *KVPage, h, p int) (key []float32) {
	d := kv.Dim
	rows, bytes := d*32, map[gguf.Type]int{gguf.F16: 2, gguf.F32: 4, gguf.Q8_0: 1}[kv.KeyType]
	if kv.KeyType == gguf.Q4_0 {
		rows, bytes = (d+1)/2*32, 1
	}
	size := rows * bytes
	if bytes == 1 {
		size += (d + 31) / 32 * 64
	}
	tile := page.K[h*size:][:size]
	for e := range d {
		var x float32
		switch kv.KeyType {
		case gguf.Q8_0:
			b := tile[e/32*(64+32*32):]
			x = scalar.FromHalf(b[p%32*2:]) * float32(int8(b[64+e%32*32+p%32]))
		case gguf.Q4_0:
			b := tile[e/32*(64+16*32):]
			q := b[64+e%32/2*32+p%32]
			x = scalar.FromHalf(b[p%32*2:]) * float32([2]int{int(q & 15), int(q >> 4)}[e%2]-8)
		default:
			x = element(kv.KeyType, tile, e*32+p%32)
		}
		key = append(key, x)
	}
	return key
}

// storedValue does the same for a value.
func storedValue(kv *KV, page *KVPage, h, p int) (value []float32) {
	d := kv.Dim
	var codes, blocks int
	switch kv.ValueType {
	case gguf.F16:
		codes = (d + 7) / 8 * 16
	case gguf.F32:
		codes = (d + 7) / 8 * 32
	case gguf.Q8_0:
		codes, blocks = (d+7)/8*8, (d+31)/32
	case gguf.Q4_0:
		codes, blocks = (d+15)/16*8, (d+31)/32
	}
	size := codes + 2*blocks
	row := page.V[(h*32+p)*size:][:size]
	for e := range d {
		x := float32(0)
		switch kv.ValueType {
		case gguf.Q8_0:
			x = scalar.FromHalf(row[codes+e/32*2:]) * float32(int8(row[e]))
		case gguf.Q4_0:
			q := row[e/16*8+e%8]
			x = scalar.FromHalf(row[codes+e/32*2:]) * float32([2]int{int(q & 15), int(q >> 4)}[e/8%2]-8)
		default:
			x = element(kv.ValueType, row, e)
		}
		value = append(value, x)
	}
	return value
}

// cached returns what a cache makes of x.
func cached(typ gguf.Type, x []float32) (y []float32) {
	switch typ {
	case gguf.F32:
		return x
	case gguf.F16:
		for _, x := range x {
			y = append(y, throughHalf(x))
		}
		return y
	}
	for ; len(x) > 0; x = x[min(32, len(x)):] {
		y = append(y, cachedBlock(typ, x[:min(32, len(x))])...)
	}
	return y
}

func cachedBlock(typ gguf.Type, x []float32) (y []float32) {
	var extreme float32
	finite := true
	for _, x := range x {
		if math.Abs(float64(x)) > math.Abs(float64(extreme)) {
			extreme = x
		}
		finite = finite && !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0)
	}
	top := float32(math.Abs(float64(extreme)))
	scale, inverse := top/127, 127/top
	if typ == gguf.Q4_0 {
		scale = extreme / -8
		inverse = 1 / scale
	}
	d := throughHalf(scale)
	if !finite || math.IsInf(float64(d), 0) {
		d = float32(math.NaN())
	}
	for _, x := range x {
		q := float32(math.RoundToEven(float64(x * inverse)))
		if typ == gguf.Q4_0 {
			q = float32(min(int(float32(x*inverse)+8.5), 15) - 8)
		}
		if d != d || math.IsInf(float64(inverse), 0) {
			q = 0
		}
		y = append(y, d*float32(int(q))) // there is no code of -0
	}
	return y
}

func throughHalf(x float32) float32 {
	var b [2]byte
	scalar.ToHalf(b[:], x)
	return scalar.FromHalf(b[:])
}

func TestAttendAllocates(t *testing.T) {
	for i := range len(tested()) * len(cacheTypes) {
		tier, typ := tested()[i/len(cacheTypes)], cacheTypes[i%len(cacheTypes)]
		c := newHeadCase(t, typ, 64, 100, 8, probe.Fillers[0], probe.Fillers[0])
		out := make([]float32, 8*64)
		var s Scratch
		if n := testing.AllocsPerRun(3, func() {
			tier.StoreKV(c.kv, 107, c.k[107], c.v[107], &s)
			tier.Attend(out, 64, c.q, c.ldq, 8, 100, c.head, c.kv, &s)
		}); n != 0 {
			t.Errorf("isa=%s: %v allocations", tier.Name, n)
		}
	}
}

func TestAttendRefuses(t *testing.T) {
	c := newHeadCase(t, cacheTypes[0], 8, 0, 2, probe.Fillers[0], probe.Fillers[0])
	var s Scratch
	out := make([]float32, 16)
	for what, call := range map[string]func(){
		"a position outside":   func() { best().Attend(out, 8, c.q, c.ldq, 1, PageSize, Head{}, c.kv, &s) },
		"a head too many":      func() { best().Attend(out, 8, c.q, c.ldq, 1, 0, Head{KV: 2}, c.kv, &s) },
		"a negative window":    func() { best().Attend(out, 8, c.q, c.ldq, 1, 0, Head{Window: -1}, c.kv, &s) },
		"a short result":       func() { best().Attend(out[:15], 8, c.q, c.ldq, 2, 0, Head{}, c.kv, &s) },
		"short queries":        func() { best().Attend(out, 8, c.q[:8], 8, 2, 0, Head{}, c.kv, &s) },
		"a type of no kernel":  func() { (&KV{KeyType: gguf.F16, ValueType: gguf.Q5_0, Heads: 1, Dim: 8}).NewPage() },
		"a store past the end": func() { best().StoreKV(c.kv, PageSize, c.q[:16], c.q[:16], &s) },
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
