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
	Loops     string  // how it was measured: "AVX2", "plain Go"
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

// MeasureRoofline measures the limits of this machine with the given number of
// threads; 0 means one for each CPU that the process may use. It reads memory of
// at least four times the largest cache, or half of what is free if that is
// less, and takes some seconds.
func MeasureRoofline(ctx context.Context, threads int) (Roofline, error) {
	pool := NewPool(threads)
	defer pool.Close()
	r := Roofline{Threads: pool.Workers(), Loops: cpu.RooflineLoops()}
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
	var err error
	tasks = multiplyTasks * pool.Workers()
	r.MACs, err = best(ctx, pool, tasks, multiplyRounds*cpu.MultiplyMACs, multiply)
	return r, err
}

// multiply is one task of multiplications. Its numbers stay in registers, so
// that their values do not matter.
func multiply(int, int) {
	var x cpu.Chains
	w := [32]byte{1}
	cpu.Multiply(&x, &w, multiplyRounds)
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
