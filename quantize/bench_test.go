package quantize

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"mptgo/gguf"
)

const benchCols = 4096

// BenchmarkEncode and BenchmarkDecode count bytes of float32.
func BenchmarkEncode(b *testing.B) {
	src, weights := make([]float32, benchCols), make([]float32, benchCols)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range src {
		src[i], weights[i] = float32(r.NormFloat64()*0.05), r.Float32()
	}
	for _, f := range Formats() {
		if f.Encode == nil {
			continue
		}
		size, _ := f.Type.RowBytes(benchCols)
		dst := make([]byte, size)
		for _, w := range [][]float32{nil, weights} {
			b.Run(fmt.Sprintf("type=%v/imatrix=%v", f.Type, w != nil), func(b *testing.B) {
				b.SetBytes(4 * benchCols)
				for b.Loop() {
					if err := EncodeRows(f.Type, dst, src, benchCols, w); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	dst := make([]float32, benchCols)
	for _, f := range Formats() {
		size, _ := f.Type.RowBytes(benchCols)
		src := make([]byte, size)
		b.Run(fmt.Sprintf("type=%v", f.Type), func(b *testing.B) {
			b.SetBytes(4 * benchCols)
			for b.Loop() {
				f.Decode(dst, src)
			}
		})
	}
}

func BenchmarkConvert(b *testing.B) {
	types := []gguf.Type{gguf.F32, gguf.F16, gguf.BF16}
	var scratch Encoder
	for _, from := range types {
		for _, to := range types {
			m, _ := from.RowBytes(benchCols)
			n, _ := to.RowBytes(benchCols)
			src, dst := make([]byte, m), make([]byte, n)
			b.Run(fmt.Sprintf("from=%v/to=%v", from, to), func(b *testing.B) {
				b.SetBytes(4 * benchCols)
				for b.Loop() {
					if err := scratch.Convert(dst, to, src, from, benchCols); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkFeedback counts bytes of float32, in rows whose products are known over
// their whole length.
func BenchmarkFeedback(b *testing.B) {
	const cols = 2048
	products := make([]float32, cols*cols)
	r := rand.New(rand.NewPCG(1, 1))
	src := make([]float32, rowsTogether*cols)
	for i := range src {
		src[i] = float32(r.NormFloat64() * 0.05)
	}
	for i := range cols {
		products[i*cols+i] = 1 + r.Float32()
		for k := i + 1; k < cols; k++ {
			products[i*cols+k] = float32(r.NormFloat64() * 0.01)
		}
	}
	for _, f := range Formats() {
		if f.Encode == nil || f.grid == nil {
			continue
		}
		fb, err := NewFeedback(f.Type, products, cols, cols)
		if err != nil {
			b.Fatal(err)
		}
		size, _ := f.Type.RowBytes(cols)
		dst := make([]byte, rowsTogether*size)
		b.Run(fmt.Sprintf("type=%v", f.Type), func(b *testing.B) {
			b.SetBytes(4 * rowsTogether * cols)
			for b.Loop() {
				fb.encode(f, dst, src)
			}
		})
	}
}
