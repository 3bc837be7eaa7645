package mat

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"mptgo/ggml/internal/act"
	"mptgo/ggml/internal/cpu"
	"mptgo/gguf"
)

// BenchmarkMatMul measures a matrix that stays in the cache, with batches from
// decoding to prefill: bytes of weights and multiplications a second.
func BenchmarkMatMul(b *testing.B) {
	const rows, k = 64, 4096
	for _, typ := range matTypes() {
		for _, n := range []int{1, 2, 3, 4, 7, 8, 16, 36, 64, 512} {
			b.Run(fmt.Sprintf("type=%v/isa=%s/n=%d", typ, best().Name, n), func(b *testing.B) {
				r := rand.New(rand.NewPCG(0, 0))
				benchMatMul(b, best(), plain.weights(b, r, typ, rows, k), plain.acts(b, r, n, k), false)
			})
		}
	}
}

// BenchmarkMatMulMemory measures small batches and a matrix that no cache holds. One type takes some
// seconds, all of them minutes:
//
//	go test -run - -bench MatMulMemory/type=Q4_K ./ggml/internal/mat
func BenchmarkMatMulMemory(b *testing.B) {
	const k = 4096
	var data []byte // of all types in turn: only what is measured takes memory
	for _, typ := range matTypes() {
		b.Run(fmt.Sprintf("type=%v/isa=%s", typ, best().Name), func(b *testing.B) {
			if data == nil {
				data = make([]byte, max(256<<20, 4*cpu.LastLevelCache()))
			}
			r := rand.New(rand.NewPCG(0, 0))
			few := plain.weights(b, r, typ, 64, k).Data
			w := &Weights{Type: typ, Rows: len(data) / len(few) * 64, Cols: k}
			for i := 0; i+len(few) <= len(data); i += len(few) {
				w.Data = data[:i+copy(data[i:], few)]
			}
			for _, n := range []int{1, 2, 4, 8} {
				b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
					benchMatMul(b, best(), w, plain.acts(b, r, n, k), false)
				})
			}
		})
	}
}

// BenchmarkMatMulExact measures exact mode for block weights.
func BenchmarkMatMulExact(b *testing.B) {
	const rows, k = 64, 4096
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprintf("type=%v/isa=%s/n=%d", gguf.Q4_0, best().Name, n), func(b *testing.B) {
			r := rand.New(rand.NewPCG(0, 0))
			benchMatMul(b, best(), plain.weights(b, r, gguf.Q4_0, rows, k), plain.acts(b, r, n, k), true)
		})
	}
}

// BenchmarkAddTransposed measures the way back through a matrix of a feed-forward layer, for the columns that
// one task takes.
func BenchmarkAddTransposed(b *testing.B) {
	const rows, cols, width = 8192, 2048, 256
	for _, typ := range matTypes() {
		for _, n := range []int{64, 512} {
			b.Run(fmt.Sprintf("type=%v/isa=%s/n=%d", typ, best().Name, n), func(b *testing.B) {
				w := plain.weights(b, rand.New(rand.NewPCG(0, 0)), typ, rows, cols)
				dx, dy := make([]float32, n*cols), make([]float32, n*rows)
				for i := range dy {
					dy[i] = float32(i % 7)
				}
				var s Scratch
				for b.Loop() {
					best().AddTransposed(dx, cols, w, dy, rows, n, 0, width, &s)
				}
				b.ReportMetric(float64(b.N)*float64(n*rows*width)/b.Elapsed().Seconds()/1e9, "GMAC/s")
			})
		}
	}
}

// BenchmarkMany measures kernels for many rows of activations alone: two panels and a call's
// groups of rows, in the second-level cache. In GMAC/s; a cycle of tiles has 1024 products.
func BenchmarkMany(b *testing.B) {
	const blocks = 64
	r := rand.New(rand.NewPCG(0, 0))
	for _, typ := range matTypes() {
		k := best().block[typ]
		if !isBlock(typ) || k == nil || k.many == nil {
			continue
		}
		b.Run(fmt.Sprintf("type=%v/isa=%s", typ, best().Name), func(b *testing.B) {
			a := plain.acts(b, r, manyGroups*act.TileRows, blocks*act.BlockLen)
			panels := make([]byte, 2*blocks*k.Bytes+line)
			buf, y := make([]byte, manyBuffer), make([]float32, a.N*packedStrips*StripRows)
			tiles, lda := a.Tiles(0, 0)
			ahead := uintptr(unsafe.Pointer(&panels[0]))
			for b.Loop() {
				k.many.multiply(&y[0], &panels[0], blocks*k.Bytes, blocks, tiles, lda, manyGroups, &buf[0], ahead, 0)
			}
			products := float64(len(y)) * float64(a.K)
			b.ReportMetric(float64(b.N)*products/b.Elapsed().Seconds()/1e9, "GMAC/s")
		})
	}
}

func benchMatMul(b *testing.B, tier set, w *Weights, a *act.Acts, exact bool) {
	y := make([]float32, a.N*w.Rows)
	var s Scratch
	b.SetBytes(int64(len(w.Data)))
	for b.Loop() {
		tier.MatMul(y, w.Rows, w, a, a.N, 0, w.Rows, exact, &s)
	}
	b.ReportMetric(float64(b.N)*float64(a.N*w.Rows)*float64(w.Cols)/b.Elapsed().Seconds()/1e9, "GMAC/s")
}
