package tune

import (
	"math/rand/v2"
	"os"
	"testing"

	"mptgo/mpt"
	"mptgo/mpt/tune/data"
)

// BenchmarkStep trains on rows of 512 tokens, one a step, with the model that BENCH_MODEL names and the
// kernels that BENCH_ISA names, if it is set:
//
//	BENCH_MODEL=1b-Q4_0.gguf go test -run - -bench Step -cpuprofile cpu.out ./mpt/tune
func BenchmarkStep(b *testing.B) {
	path := os.Getenv("BENCH_MODEL")
	if path == "" {
		b.Skip("BENCH_MODEL names no model")
	}
	m, err := mpt.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	const length = 512
	r := rand.New(rand.NewPCG(1, 2))
	var row data.Row
	for range length {
		id := int32(r.IntN(m.Config().Vocab))
		row.Tokens, row.Labels = append(row.Tokens, id), append(row.Labels, id)
	}
	for _, keep := range []Keep{KeepNone, KeepAll} {
		b.Run(string(keep), func(b *testing.B) {
			c := small()
			c.LoRA, c.Exact, c.Threads, c.Batch, c.MaxSteps, c.Keep = LoRA{Rank: 16, Alpha: 32}, false, 0, 1, 1000, keep
			c.tier = os.Getenv("BENCH_ISA")
			t, err := New(m, rowList{row}, 0, c)
			if err != nil {
				b.Fatal(err)
			}
			defer t.Close()
			for b.Loop() {
				if _, err := t.Step(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(length*b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}
