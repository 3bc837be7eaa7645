package ggml

import (
	"context"
	"math"
	"runtime/debug"
	"time"

	"mptgo/ggml/internal/cpu"
	"mptgo/internal/sysmem"
)

// Roofline is what a machine can do at most with a number of threads.
type Roofline struct {
	Threads   int
	Kernels   string  // of which the products are measured: "avx2", see [Tiers]
	Loops     string  // how: "AVX-512 VNNI", "plain Go"
	Exceeded  bool    // these kernels have tiles for long prompts, which multiply faster than that
	Bandwidth float64 // bytes per second read from memory
	MACs      float64 // int8 multiplications with addition per second, from registers
}

// How long a limit is measured: the best of several tries, since whatever else
// the machine does can only make one slower.
const (
	rooflineTries  = 5
	readTaskBytes  = 1 << 20
	multiplyRounds = 1 << 14 // of a task: some tens of microseconds
	multiplyTasks  = 1 << 9  // for each thread
)

// MeasureRoofline measures the limits of this machine with the given number of threads, 0 for one
// for each CPU that the process may use, and the instructions that the kernels called kernels
// multiply with, as in [Options].Tier; where there is no loop of these, as on arm64, in plain Go,
// which is far below them. It reads memory of at least four times the largest cache, or half of
// what is free if that is less, and takes some seconds.
func MeasureRoofline(ctx context.Context, threads int, kernels string) (Roofline, error) {
	kernels, err := TierName(kernels)
	if err != nil {
		return Roofline{}, err
	}
	multiplier := cpu.MultiplierOf(kernels)
	pool := NewPool(threads)
	defer pool.Close()
	r := Roofline{Threads: pool.Workers(), Kernels: kernels, Loops: multiplier.Name, Exceeded: multiplier.Exceeded}
	defer debug.FreeOSMemory() // what was read is garbage now, and much
	memory := touched(rooflineBytes(sysmem.Available, cpu.LastLevelCache()))
	tasks := len(memory) / readTaskBytes
	for _, fetch := range []bool{false, true} {
		read := func(task, _ int) { cpu.Read(memory[task*readTaskBytes:][:readTaskBytes], fetch) }
		rate, err := best(ctx, pool, tasks, readTaskBytes, read)
		if err != nil {
			return Roofline{}, err
		}
		r.Bandwidth = max(r.Bandwidth, rate)
	}
	tasks = multiplyTasks * pool.Workers()
	multiply := func(int, int) {
		var x cpu.Chains // the values do not matter
		multiplier.Run(&x, multiplyRounds)
	}
	r.MACs, err = best(ctx, pool, tasks, multiplyRounds*multiplier.MACs, multiply)
	return r, err
}

// best returns how much is done in a second when the tasks, each of the given
// amount, run as fast as they ever did.
func best(ctx context.Context, pool *Pool, tasks, amount int, run func(task, worker int)) (float64, error) {
	var rate float64
	for range rooflineTries {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		start := time.Now()
		if err := pool.Run(tasks, run); err != nil {
			return 0, err
		}
		rate = max(rate, float64(tasks)*float64(amount)/time.Since(start).Seconds())
	}
	return rate, nil
}

// touched returns n bytes that are there: memory that was never written to is
// one page of zeros, many times over.
func touched(n int) []byte {
	b := make([]byte, n)
	for i := 0; i < n; i += 1 << 10 {
		b[i] = 1
	}
	return b
}

// rooflineBytes returns how much memory to read: more than the caches hold and no more
// than half of what the process may still take, in whole tasks. A container may have
// much less than the machine.
func rooflineBytes(left func() (sysmem.Limit, bool), cache int) int {
	const least, unknown = 64 << 20, 1 << 30
	half := int64(unknown / 2)
	if l, ok := left(); ok {
		half = l.Bytes / 2
	}
	n := min(max(1<<30, 4*int64(cache)), half, math.MaxInt/2)
	return int(max(n, least)) / readTaskBytes * readTaskBytes
}
