package att

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"mptgo/ggml/internal/probe"
	"mptgo/gguf"
)

// BenchmarkAttend reports the speed of one head: in bytes of the cache read for
// a single query, in operations for a batch.
func BenchmarkAttend(b *testing.B) {
	for _, tier := range tested() {
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

func benchmarkAttend(b *testing.B, tier set, typ cacheType, dim, pos, n int) {
	const heads = 16 // more than a cache holds
	r := rand.New(rand.NewPCG(9, 10))
	kv := typ.cache(heads, dim)
	k := make([]float32, heads*dim)
	var s Scratch
	for p := range pos + n {
		if p%PageSize == 0 {
			kv.Pages = append(kv.Pages, kv.NewPage())
		}
		probe.Fillers[0].Fill(r, k)
		tier.StoreKV(kv, p, k, k, &s)
	}
	q, out := make([]float32, n*dim), make([]float32, n*dim)
	probe.Fillers[0].Fill(r, q)
	head := 0
	for b.Loop() {
		tier.Attend(out, dim, q, dim, n, pos, Head{KV: head, Scale: 0.1, Slope: 0.01}, kv, &s)
		head = (head + 1) % heads
	}
	pairs := n*pos + n*(n+1)/2
	if n == 1 {
		b.SetBytes(int64(kv.PageBytes() / heads * pairs / PageSize))
	}
	b.ReportMetric(4e-9*float64(pairs*dim*b.N)/b.Elapsed().Seconds(), "GFLOP/s")
}

// BenchmarkAttendCold has lone queries attend to 256 MB of keys and values, which no cache
// holds, in one and more threads, each with heads of its own.
func BenchmarkAttendCold(b *testing.B) {
	const heads, dim, pos = 128, 128, 4095
	kv := &KV{KeyType: gguf.F16, ValueType: gguf.F16, Heads: heads, Dim: dim}
	for range (pos + 1) / PageSize {
		page := kv.NewPage()
		for _, part := range [][]byte{page.K, page.V} {
			for i := range part {
				part[i] = byte(i * 7 >> 3 & 0x3b) // small numbers
			}
		}
		kv.Pages = append(kv.Pages, page)
	}
	attend := func(tier set, from, to int) {
		var s Scratch
		q, out := slices.Repeat([]float32{0.5}, dim), make([]float32, dim)
		for head := from; head < to; head++ {
			tier.Attend(out, dim, q, dim, 1, pos, Head{KV: head, Scale: 0.1, Slope: 0.01}, kv, &s)
		}
	}
	for _, tier := range tested()[1:] {
		for threads := 1; threads <= min(8, runtime.GOMAXPROCS(0)); threads *= 2 {
			b.Run(fmt.Sprintf("threads=%d/isa=%s", threads, tier.Name), func(b *testing.B) {
				b.SetBytes(int64(kv.PageBytes() * len(kv.Pages)))
				for b.Loop() {
					var wg sync.WaitGroup
					for t := range threads {
						wg.Go(func() { attend(tier, t*heads/threads, (t+1)*heads/threads) })
					}
					wg.Wait()
				}
			})
		}
	}
}

func BenchmarkStoreKV(b *testing.B) {
	for _, tier := range tested() {
		for _, typ := range cacheTypes {
			b.Run(fmt.Sprintf("type=%v/isa=%s", typ, tier.Name), func(b *testing.B) {
				kv := typ.cache(32, 128)
				kv.Pages = []*KVPage{kv.NewPage()}
				var s Scratch
				k := make([]float32, 32*128)
				b.SetBytes(2 * 4 * 32 * 128)
				pos := 0
				for b.Loop() {
					tier.StoreKV(kv, pos, k, k, &s)
					pos = (pos + 1) % PageSize
				}
			})
		}
	}
}
