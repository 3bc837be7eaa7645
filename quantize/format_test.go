package quantize

import (
	"math"
	"math/rand/v2"
	"testing"

	"mptgo/gguf"
)

// Every row of the table is tested the moment it exists.

func TestFormats(t *testing.T) {
	for i, f := range formats {
		if f != nil && f.Type != gguf.Type(i) {
			t.Errorf("row %v of the table holds the format of %v", gguf.Type(i), f.Type)
		}
	}
	for _, f := range Formats() {
		if f.Decode == nil || f.bad == nil {
			t.Errorf("%v: Decode or bad is missing", f.Type)
		}
		if got, ok := Lookup(f.Type); !ok || got != f {
			t.Errorf("Lookup(%v) finds another format", f.Type)
		}
	}
	for _, typ := range []gguf.Type{gguf.I32, gguf.Q8_K, 4, 38, 1 << 31} {
		if _, ok := Lookup(typ); ok {
			t.Errorf("Lookup(%v) finds a format", typ)
		}
	}
}

// TestBlockSize feeds each function blocks in slices of exactly the size that
// package gguf states: a format that has another idea of it panics or leaves
// something untouched.
func TestBlockSize(t *testing.T) {
	for _, f := range Formats() {
		n, size := f.Type.Block()
		src := make([]byte, 3*size)
		for i := range src {
			src[i] = 0x11
		}
		dst := make([]float32, 3*n)
		for i := range dst {
			dst[i] = float32(math.NaN())
		}
		f.Decode(dst, src)
		for i, v := range dst {
			if v != v {
				t.Errorf("%v: value %d is not set", f.Type, i)
				break
			}
		}
		if f.Encode == nil {
			continue
		}
		// What is in the bytes before must not show in the result.
		again := make([]byte, 3*size)
		for i := range again {
			again[i] = 0xee
		}
		f.Encode(src, dst, nil)
		f.Encode(again, dst, nil)
		if string(src) != string(again) {
			t.Errorf("%v: Encode leaves bytes unset", f.Type)
		}
	}
}

// TestStable holds each format to its promise that rows of blocks are encoded
// and decoded independently of what surrounds them.
func TestStable(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, f := range Formats() {
		n, size := f.Type.Block()
		src := randomBytes(r, 40*size)
		all := make([]float32, 40*n)
		f.Decode(all, src)
		one := make([]float32, n)
		for b := range 40 {
			f.Decode(one, src[b*size:(b+1)*size])
			for i := range one {
				if math.Float32bits(one[i]) != math.Float32bits(all[b*n+i]) {
					t.Fatalf("%v: block %d, value %d: %v alone, %v in a row", f.Type, b, i, one[i], all[b*n+i])
				}
			}
		}
	}
}

// TestError bounds the error of values from -1 to 1 by the steps that their
// format can make.
func TestError(t *testing.T) {
	// Half a step for the formats that reach both ends of the range, a whole
	// one for those that fall short of one end. Scales are binary16.
	const scale = 0x1p-10
	worst := map[gguf.Type]float64{
		gguf.F32: 0, gguf.F16: 0x1p-12, gguf.BF16: 0x1p-9,
		gguf.Q8_0: 1./254 + scale, gguf.Q4_0: 1./8 + scale, gguf.Q4_1: 1./15 + scale,
		// Two levels of scales: a whole step, since the search minimises squares,
		// and what the rounding of the scale of a group can take away or add.
		gguf.Q2_K: 2./3 + 1./15, gguf.Q3_K: 1./3 + 1./32, gguf.Q4_K: 2./15 + 1./63, gguf.Q5_K: 2./31 + 1./63,
		gguf.IQ4_NL: 23./127 + scale, gguf.IQ4_XS: 23./127 + 1./32, gguf.TQ1_0: 0.5 + scale, gguf.TQ2_0: 0.5 + scale,
		// Eight points for four values, and eight for one sign of eight.
		gguf.IQ3_S: 0.5, gguf.IQ3_XXS: 0.8, gguf.IQ2_S: 0.8,
		gguf.Q5_0: 1./16 + scale, gguf.Q5_1: 1./31 + scale, gguf.Q6_K: 1./24 + scale,
	}
	r := rand.New(rand.NewPCG(3, 4))
	for _, f := range Formats() {
		if f.Encode == nil {
			continue
		}
		if _, ok := worst[f.Type]; !ok {
			t.Errorf("%v has no bound in worst", f.Type)
			continue
		}
		n, size := f.Type.Block()
		src, got, b := make([]float32, n), make([]float32, n), make([]byte, size)
		for range 200 {
			for i := range src {
				src[i] = r.Float32()*2 - 1
			}
			f.Encode(b, src, nil)
			f.Decode(got, b)
			for i := range src {
				if e := math.Abs(float64(got[i]) - float64(src[i])); e > worst[f.Type] {
					t.Fatalf("%v: %v comes back as %v", f.Type, src[i], got[i])
				}
			}
		}
	}
}

// FuzzDecode gives every format any bytes. Whatever they are, the values must be
// finite if bad finds nothing to complain about.
func FuzzDecode(f *testing.F) {
	f.Add(uint32(gguf.Q4_0), []byte("\x00\x3cabcdefghijklmnop"))
	f.Add(uint32(gguf.Q8_0), []byte("\x00\x7cabcdefghijklmnopqrstuvwxyzabcdef"))
	f.Add(uint32(gguf.F32), []byte("\x00\x00\x80\x7f"))
	for _, g := range Formats() {
		_, size := g.Type.Block()
		f.Add(uint32(g.Type), make([]byte, 2*size))
	}
	f.Fuzz(func(t *testing.T, id uint32, src []byte) {
		typ := gguf.Type(id)
		g, ok := Lookup(typ)
		if !ok {
			if DecodeRow(typ, nil, src) == nil || CheckFinite(typ, src) == nil {
				t.Fatalf("%v is unknown and no error", typ)
			}
			return
		}
		n, size := typ.Block()
		dst := make([]float32, len(src)/size*n)
		err := DecodeRow(typ, dst, src)
		if whole := len(src)%size == 0; whole != (err == nil) {
			t.Fatalf("%v: %d bytes: %v", typ, len(src), err)
		}
		if err == nil && (g.bad(src) < 0) && notFinite(dst) >= 0 {
			t.Fatalf("%v: value %v is not finite in blocks %x", typ, notFinite(dst), src)
		}
	})
}

// FuzzEncode gives every format any finite values: encoding them fails with an
// error or gives blocks that decode to finite values.
func FuzzEncode(f *testing.F) {
	f.Add(uint32(gguf.Q4_0), []byte("some values of any size"), byte(0))
	f.Add(uint32(gguf.Q8_0), []byte("\x01\x00\x00\x00\x02\x00\x00\x00"), byte(1))
	f.Add(uint32(gguf.Q6_K), []byte("\xff\xff\x7f\x7f\xff\xff\x7f\xff"), byte(2))
	f.Fuzz(func(t *testing.T, id uint32, data []byte, weight byte) {
		g, ok := Lookup(gguf.Type(id))
		if !ok || g.Encode == nil || len(data) < 4 {
			return
		}
		n, size := g.Type.Block()
		src, weights := make([]float32, n), make([]float32, n)
		given := make([]float32, len(data)/4)
		f32.Decode(given, data)
		for i := range src {
			src[i] = given[i%len(given)]
			weights[i] = float32(i * int(weight))
		}
		b := make([]byte, size)
		for _, w := range [][]float32{nil, weights} {
			for _, s := range []Search{SearchReference, SearchBetter} {
				if err := s.Encode(g.Type, b, src, n, w); err != nil {
					continue
				}
				got := make([]float32, n)
				g.Decode(got, b)
				if i := notFinite(got); i >= 0 {
					t.Fatalf("%v, %v: %v becomes %v", g.Type, s, src[i], got[i])
				}
			}
		}
	})
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}
