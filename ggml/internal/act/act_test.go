package act

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"mptgo/ggml/internal/probe"
	"mptgo/ggml/internal/scalar"
)

// TestActBlockLayout holds the structs against the offsets that the assembly
// has in it.
func TestActBlockLayout(t *testing.T) {
	var b Block
	var w WideBlock
	for _, c := range []struct {
		what      string
		got, want uintptr
	}{
		{"actBlock", unsafe.Sizeof(b), 48},
		{"Q", unsafe.Offsetof(b.Q), 0},
		{"D", unsafe.Offsetof(b.D), 32},
		{"S", unsafe.Offsetof(b.S), 36},
		{"Zero8", unsafe.Offsetof(b.Zero8), 40},
		{"Half", unsafe.Offsetof(b.Half), 44},
		{"wideBlock", unsafe.Sizeof(w), 68},
		{"wide Q", unsafe.Offsetof(w.Q), 0},
		{"wide D", unsafe.Offsetof(w.D), 64},
	} {
		if c.got != c.want {
			t.Errorf("%s is at or takes %d bytes, not %d", c.what, c.got, c.want)
		}
	}
}

// actRows are rows of activations that a quantiser may stumble over.
func actRows(t *testing.T, r *rand.Rand) [][]float32 {
	var rows [][]float32
	add := func(blocks int, value func() float32) {
		x := probe.Memory[float32](t, blocks*BlockLen)
		for i := range x {
			x[i] = value()
		}
		rows = append(rows, x)
	}
	for blocks := 1; blocks <= 9; blocks++ {
		for _, d := range []probe.Data{probe.Plain, probe.Hostile, probe.Broken} {
			add(blocks, func() float32 { return d.Float(r) })
		}
	}
	add(500, func() float32 { return math.Float32frombits(r.Uint32()) })
	for e := uint32(0); e < 255; e++ { // every magnitude, ties included
		add(2, func() float32 { return math.Float32frombits(e<<23 | r.Uint32N(2)<<31 | r.Uint32()&(1<<23-1)) })
		add(1, func() float32 { return float32(math.Ldexp(float64(r.IntN(255)-127)/2, int(e)-127)) })
	}
	for _, v := range []uint32{0, 1 << 31, 1, 0x7f7fffff, scalar.InfBits, scalar.InfBits + 1, 0x7fffffff, 0xffffffff, 0x02fe0000, 0x02fdffff} {
		add(1, func() float32 { return math.Float32frombits(v ^ r.Uint32N(2)<<31) })
	}
	return rows
}

// TestQuantizeRow holds every tier against the definition, and that against
// what a quantised row is for.
func TestQuantizeRow(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 0))
	for _, x := range actRows(t, r) {
		want := quantized(t, definition, x)
		for b := range want.blocks {
			checkBlock(t, (*[BlockLen]float32)(x[b*BlockLen:]), &want.blocks[b], &want.wide[b])
		}
		for _, tier := range tested()[1:] {
			got := quantized(t, tier, x)
			for b := range want.blocks {
				if !sameBlock(got.blocks[b], want.blocks[b]) || got.wide[b].Q != want.wide[b].Q || !probe.SameBits(got.wide[b].D, want.wide[b].D) {
					t.Fatalf("%s: block %d of %v:\ngot  %v\nwant %v", tier.Name, b, x, got.blocks[b], want.blocks[b])
				}
			}
		}
	}
}

func quantized(t *testing.T, tier set, x []float32) *Acts {
	a := &Acts{N: 1, K: len(x), X: x}
	mem := probe.Bytes(t, BlocksBytes(1, len(x)))
	for i := range mem {
		mem[i] = 0xa5
	}
	a.Place(mem)
	tier.QuantizeRow(a, 0, 1)
	return a
}

func sameBlock(a, b Block) bool {
	return a.Q == b.Q && a.Half == b.Half && probe.SameBits(a.D, b.D) && probe.SameBits(a.S, b.S) && probe.SameBits(a.Zero8, b.Zero8)
}

// checkBlock checks what follows from the contract of a block.
func checkBlock(t *testing.T, x *[BlockLen]float32, b *Block, w *WideBlock) {
	t.Helper()
	var top float64
	finite := true
	for _, v := range x {
		finite = finite && !math.IsInf(float64(v), 0) && v == v
		top = max(top, math.Abs(float64(v)))
	}
	var sums [2]int16
	for i, q := range b.Q {
		sums[i/16] += int16(q)
		if q == -128 || w.Q[i] != int16(q) {
			t.Fatalf("%v: code %d is %d, wide %d", x, i, q, w.Q[i])
		}
	}
	sum := float32(int32(sums[0]) + int32(sums[1]))
	if b.Half != sums || b.Zero8 != 8*sum || !probe.SameBits(b.S, b.D*sum) || !probe.SameBits(w.D, b.D) {
		t.Fatalf("%v: sums of %v", x, *b)
	}
	if !finite {
		if b.D == b.D || b.Q != [BlockLen]int8{} {
			t.Fatalf("%v: not finite, gives %v", x, *b)
		}
		return
	}
	// Half a step, and what rounding the scale and its inverse adds.
	bound := top/127*(0.5+1e-4) + 4e-37
	for i, q := range b.Q {
		if e := math.Abs(float64(x[i]) - float64(b.D)*float64(q)); e > bound {
			t.Fatalf("%v: value %d is off by %g, more than %g", x, i, e, bound)
		}
	}
}

func TestPlaceRefuses(t *testing.T) {
	for name, call := range map[string]func(){
		"short": func() { (&Acts{N: 2, K: 64}).Place(make([]byte, BlocksBytes(2, 64)-1)) },
		"odd":   func() { (&Acts{N: 2, K: 64}).Place(make([]byte, BlocksBytes(2, 64)+8)[1:]) },
		"row":   func() { best().QuantizeRow(&Acts{N: 1, K: 33, X: make([]float32, 33)}, 0, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("accepted")
				}
			}()
			call()
		})
	}
}

func BenchmarkQuantizeRow(b *testing.B) {
	const k = 4096
	for _, tier := range tested() {
		b.Run("isa="+tier.Name, func(b *testing.B) {
			a := &Acts{N: 1, K: k, X: make([]float32, k)}
			r := rand.New(rand.NewPCG(0, 0))
			for i := range a.X {
				a.X[i] = probe.Plain.Float(r)
			}
			a.Place(make([]byte, BlocksBytes(1, k)))
			b.SetBytes(4 * k)
			for b.Loop() {
				tier.QuantizeRow(a, 0, 1)
			}
		})
	}
}
