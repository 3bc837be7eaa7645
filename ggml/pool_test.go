package ggml

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestPoolRunsEveryTaskOnce(t *testing.T) {
	for _, workers := range []int{1, 2, 3, 8} {
		p := newPool(workers)
		for _, tasks := range []int{0, 1, 2, 7, 100} {
			ran := make([]atomic.Int32, tasks)
			if err := p.Run(tasks, func(task, w int) {
				if w < 0 || w >= workers {
					t.Errorf("worker %d of %d", w, workers)
				}
				ran[task].Add(1)
			}); err != nil {
				t.Fatal(err)
			}
			for i := range ran {
				if n := ran[i].Load(); n != 1 {
					t.Fatalf("%d workers, %d tasks: task %d ran %d times", workers, tasks, i, n)
				}
			}
		}
		p.Close()
	}
}

// Many short regions in a row, with pauses that let the workers fall asleep in
// every stage of their life.
func TestPoolManyRegions(t *testing.T) {
	p := newPool(4)
	defer p.Close()
	var sum atomic.Int64
	add := func(task, _ int) { sum.Add(int64(task)) }
	want := int64(0)
	for i := range 3000 {
		tasks := i%5 + 1
		if err := p.Run(tasks, add); err != nil {
			t.Fatal(err)
		}
		want += int64(tasks * (tasks - 1) / 2)
		if sum.Load() != want {
			t.Fatalf("region %d: Run returned before its tasks ended", i)
		}
		if i%500 == 0 {
			time.Sleep(time.Duration(i%7) * 30 * time.Microsecond)
		}
	}
}

func TestPoolSharedByGoroutines(t *testing.T) {
	p := newPool(3)
	defer p.Close()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 200 {
				var n atomic.Int32
				if err := p.Run(g+i%3, func(int, int) { n.Add(1) }); err != nil {
					t.Error(err)
				}
				if int(n.Load()) != g+i%3 {
					t.Errorf("goroutine %d: %d tasks ran", g, n.Load())
				}
			}
		})
	}
	wg.Wait()
}

type fakeFault struct{}

func (fakeFault) Error() string { return "fault" }
func (fakeFault) Addr() uintptr { return 42 }

func TestPoolFaultIsAnError(t *testing.T) {
	for _, workers := range []int{1, 3} {
		p := newPool(workers)
		for range 50 {
			if err := p.Run(9, func(task, _ int) {
				if task == 4 {
					panic(fakeFault{})
				}
			}); err == nil {
				t.Fatal("a fault went unnoticed")
			}
			if err := p.Run(3, func(int, int) {}); err != nil {
				t.Fatalf("the failure outlived its region: %v", err)
			}
		}
		p.Close()
	}
}

func TestPoolPanicReachesCaller(t *testing.T) {
	p := newPool(2)
	defer p.Close()
	defer func() {
		if recover() == nil {
			t.Error("the panic was lost")
		}
	}()
	p.Run(4, func(task, _ int) { panic(fmt.Sprint("task ", task)) })
}

func TestPoolDoesNotAllocate(t *testing.T) {
	p := newPool(2)
	defer p.Close()
	fn := func(int, int) {}
	if n := testing.AllocsPerRun(100, func() { p.Run(8, fn) }); n != 0 {
		t.Errorf("Run allocates %v times", n)
	}
}

func TestPoolCloseEndsWorkers(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		newPool(4).Close()
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines before, %d after", before, runtime.NumGoroutine())
}

func BenchmarkPoolRun(b *testing.B) {
	for _, workers := range []int{1, 2, 8} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			p := newPool(workers)
			defer p.Close()
			fn := func(int, int) {}
			for b.Loop() {
				p.Run(workers, fn)
			}
		})
	}
}

// More workers than CPUs would take turns.
func TestPoolStartsNoMoreThanCPUs(t *testing.T) {
	for _, workers := range []int{0, runtime.GOMAXPROCS(0), runtime.GOMAXPROCS(0) + 5} {
		p := NewPool(workers)
		if p.Workers() != runtime.GOMAXPROCS(0) {
			t.Errorf("NewPool(%d): %d workers on %d CPUs", workers, p.Workers(), runtime.GOMAXPROCS(0))
		}
		p.Close()
	}
}
