package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"mptgo/ggml/internal/probe"
	"mptgo/ggml/internal/scalar"
)

// operands are what the vector kernels work on: n elements each.
type operands struct {
	y, x, w, b []float32
	h          []byte // 2n
	s          float32
}

// vecOps are the vector kernels. The bytes are those that an element moves.
var vecOps = []struct {
	name  string
	bytes int
	run   func(t set, v *operands)
}{
	{"LayerNorm", 12, func(t set, v *operands) { t.LayerNorm(v.y, v.x, v.w, nil, 1e-5) }},
	{"LayerNormBias", 16, func(t set, v *operands) { t.LayerNorm(v.y, v.x, v.w, v.b, 1e-5) }},
	{"LayerNormInPlace", 12, func(t set, v *operands) { t.LayerNorm(v.x, v.x, v.w, v.b, 1e-5) }},
	{"RMSNorm", 12, func(t set, v *operands) { t.RMSNorm(v.y, v.x, v.w, 1e-5) }},
	{"Softcap", 8, func(t set, v *operands) { t.Softcap(v.x, 3) }},
	{"SiLU", 8, func(t set, v *operands) { t.SiLU(v.x) }},
	{"QuickGELU", 8, func(t set, v *operands) { t.QuickGELU(v.x) }},
	{"TanhGELU", 8, func(t set, v *operands) { t.TanhGELU(v.x) }},
	{"ReLU", 8, func(t set, v *operands) { t.ReLU(v.x) }},
	{"Mul", 12, func(t set, v *operands) { t.Mul(v.y, v.x) }},
	{"Div", 12, func(t set, v *operands) { t.Div(v.y, v.x) }},
	{"GELU", 8, func(t set, v *operands) { t.GELU(v.x) }},
	{"Exp", 8, func(t set, v *operands) { t.Exp(v.y, v.x) }},
	{"ExpInPlace", 8, func(t set, v *operands) { t.Exp(v.x, v.x) }},
	{"Add", 12, func(t set, v *operands) { t.Add(v.y, v.x) }},
	{"Scale", 8, func(t set, v *operands) { t.Scale(v.x, v.s) }},
	{"Clamp", 8, func(t set, v *operands) { t.Clamp(v.x, 2.5) }},
	{"F32ToF16", 6, func(t set, v *operands) { t.F32ToF16(v.h, v.x) }},
	{"F16ToF32", 6, func(t set, v *operands) { t.F16ToF32(v.x, v.h) }},
	{"BF16ToF32", 6, func(t set, v *operands) { t.BF16ToF32(v.x, v.h) }},
}

func newOperands(seed uint64, n int, fill func(*rand.Rand, []float32)) *operands {
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	v := &operands{h: make([]byte, 2*n), s: 0.7}
	for _, s := range []*[]float32{&v.y, &v.x, &v.w, &v.b} {
		*s = make([]float32, n)
		fill(r, *s)
	}
	for i := range v.h {
		v.h[i] = byte(r.Uint32())
	}
	return v
}

func (v *operands) guarded(t testing.TB) *operands {
	return &operands{probe.Guarded(t, v.y), probe.Guarded(t, v.x), probe.Guarded(t, v.w), probe.Guarded(t, v.b), probe.Guarded(t, v.h), v.s}
}

// same reports whether two sets of operands are equal. The bytes may hold
// binary16 NaNs, which are compared as such.
func (v *operands) same(w *operands) bool {
	halves := func(h []byte) []float32 {
		f := make([]float32, len(h)/2)
		scalar.DecodeF16(f, h)
		return f
	}
	return probe.SameFloats(v.y, w.y) && probe.SameFloats(v.x, w.x) && probe.SameFloats(halves(v.h), halves(w.h))
}

func TestVecTiers(t *testing.T) {
	lengths := []int{127, 128, 129, 1000, 1<<14 + 13}
	for n := range 73 {
		lengths = append(lengths, n)
	}
	for _, tier := range tested()[1:] {
		for _, op := range vecOps {
			t.Run(op.name+"/isa="+tier.Name, func(t *testing.T) {
				for _, f := range probe.Fillers {
					for _, n := range lengths {
						want := newOperands(1, n, f.Fill)
						got := want.guarded(t)
						op.run(definition, want)
						op.run(tier, got)
						if !got.same(want) {
							t.Fatalf("%d %s values: not what the definition gives", n, f.Name)
						}
					}
				}
			})
		}
	}
}

// BenchmarkVec works on numbers that stay as they are under the kernels which
// change them in place; no kernel but LayerNorm depends on their values.
func BenchmarkVec(b *testing.B) {
	for _, tier := range tested() {
		for _, op := range vecOps {
			for _, n := range []int{4096, 16384} {
				b.Run(fmt.Sprintf("op=%s/n=%d/isa=%s", op.name, n, tier.Name), func(b *testing.B) {
					v := newOperands(1, n, func(r *rand.Rand, x []float32) {
						for i := range x {
							x[i] = 8 + r.Float32()
						}
					})
					v.s = 1
					b.SetBytes(int64(op.bytes * n))
					for b.Loop() {
						op.run(tier, v)
					}
				})
			}
		}
	}
}

func TestVecAllocates(t *testing.T) {
	for _, tier := range tested() {
		v := newOperands(1, 101, probe.Fillers[0].Fill)
		for _, op := range vecOps {
			if n := testing.AllocsPerRun(10, func() { op.run(tier, v) }); n != 0 {
				t.Errorf("%s, isa=%s: %v allocations", op.name, tier.Name, n)
			}
		}
	}
}

// TestLayerNorm holds the definition against float64: each of the few roundings
// on the way to a result adds at most half an ulp of what it rounds.
func TestLayerNorm(t *testing.T) {
	const n, eps = 4096, 1e-5
	v := newOperands(2, n, probe.Fillers[0].Fill)
	for i := range v.x {
		v.x[i] += 10
	}
	Generic.LayerNorm(v.y, v.x, v.w, v.b, eps)
	var mean, variance float64
	for _, x := range v.x {
		mean += float64(x) / n
	}
	for _, x := range v.x {
		variance += (float64(x) - mean) * (float64(x) - mean) / n
	}
	for i, x := range v.x {
		want := (float64(x)-mean)/math.Sqrt(variance+eps)*float64(v.w[i]) + float64(v.b[i])
		if e := math.Abs(float64(v.y[i]) - want); e > 1e-5 {
			t.Fatalf("element %d is %v, want %v", i, v.y[i], want)
		}
	}
}

func TestClamp(t *testing.T) {
	x := []float32{3, -3, 2, -2, 0, float32(math.Inf(1)), float32(math.NaN())}
	Generic.Clamp(x, 2)
	if want := []float32{2, -2, 2, -2, 0, 2}; !slices.Equal(x[:6], want) || x[6] == x[6] {
		t.Fatalf("got %v", x)
	}
}

func TestLengths(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("vectors of different lengths were accepted")
		}
	}()
	Generic.Add(make([]float32, 3), make([]float32, 4))
}

// TestRMSNorm holds the definition against float64.
func TestRMSNorm(t *testing.T) {
	const n, eps = 4096, 1e-5
	v := newOperands(2, n, probe.Fillers[0].Fill)
	Generic.RMSNorm(v.y, v.x, v.w, eps)
	square := 0.0
	for _, x := range v.x {
		square += float64(x) * float64(x) / n
	}
	for i, x := range v.x {
		want := float64(x) / math.Sqrt(square+eps) * float64(v.w[i])
		if e := math.Abs(float64(v.y[i]) - want); e > 4e-7*max(1, math.Abs(want)) {
			t.Fatalf("element %d is %v, want %v", i, v.y[i], want)
		}
	}
}
