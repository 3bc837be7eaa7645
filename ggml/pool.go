package ggml

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"mptgo/ggml/internal/cpu"
)

// How long an idle worker, or a caller that waits for the last task, keeps its
// core before it sleeps. Waking a sleeping goroutine takes 10 to 50 us, which
// is as long as many a step of a decoded token; longer spinning would burn a
// core for nothing between tokens.
const (
	spinTime   = 40 * time.Microsecond
	pauseBurst = 30 // about 1 us: the collector can stop us in between
	yields     = 4
)

// Pool runs tasks on a fixed set of workers that stay alive between calls. The
// goroutine that calls [Pool.Run] is worker 0.
//
// A Pool may be used by several goroutines; their calls take turns.
//
// Whoever goes to sleep first says so and then looks once more for work, while
// whoever brings work looks for sleepers after bringing it. Neither may see the
// other's old state, so the saying is a Swap: a store that is also a barrier to
// later loads, under emulators too, whose stores alone are not.
type Pool struct {
	workers int
	spin    bool

	mu sync.Mutex // held for one Run
	fn func(task, worker int)

	shares  []share       // by worker: tasks that nobody has taken yet
	regions atomic.Uint64 // begun so far
	pending atomic.Int64  // tasks that have not ended
	failure atomic.Pointer[failure]

	waiting atomic.Bool // the caller sleeps until the last task ends
	done    chan struct{}

	asleep []atomic.Bool // by worker
	wake   []chan struct{}
	closed atomic.Bool
}

// failure is the first panic of a task in the current region.
type failure struct {
	value any
	stack []byte
}

// NewPool starts a pool of the given number of workers, but no more than the process
// may use CPUs: others could only take turns, and every turn costs a region the
// time of a wake-up. Zero means one worker for each.
func NewPool(workers int) *Pool {
	cpus := runtime.GOMAXPROCS(0)
	if workers <= 0 || workers > cpus {
		workers = cpus
	}
	return newPool(workers)
}

// newPool starts a pool of any number of workers, at least 1.
func newPool(workers int) *Pool {
	p := &Pool{
		workers: workers,
		spin:    workers > 1 && workers <= min(runtime.GOMAXPROCS(0), runtime.NumCPU()),
		shares:  make([]share, workers),
		done:    make(chan struct{}, 1),
		asleep:  make([]atomic.Bool, workers),
		wake:    make([]chan struct{}, workers),
	}
	for w := 1; w < workers; w++ {
		p.wake[w] = make(chan struct{}, 1)
		go p.work(w)
	}
	return p
}

// Workers returns the number of workers.
func (p *Pool) Workers() int { return p.workers }

// Close ends the workers. It must not be called during a Run.
func (p *Pool) Close() {
	if p.closed.Swap(true) {
		return
	}
	for w := 1; w < p.workers; w++ {
		p.rouse(w)
	}
}

// Run calls fn(task, worker) once for every task in [0, tasks) and returns when
// all calls have ended. No two calls with the same worker number, in
// [0, Workers()), overlap.
//
// Each worker has an equal share of neighbouring tasks, the same one in every
// call with as many tasks, and takes them in increasing order; a worker that has
// done its share takes over half of what another has left. So tasks may be small
// and yet a worker reads memory in one piece.
//
// A memory fault in a task (a mapped file that was truncated) is returned as an
// error. Any other panic of a task is raised again in the caller.
func (p *Pool) Run(tasks int, fn func(task, worker int)) error {
	if tasks <= 0 {
		return nil
	}
	if tasks > maxTasks {
		return fmt.Errorf("ggml: %d tasks in one region, more than %d", tasks, maxTasks)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	p.fn = fn
	p.failure.Store(nil)
	if tasks == 1 || p.workers == 1 {
		for task := range tasks {
			p.call(task, 0)
		}
		return p.outcome()
	}
	p.pending.Store(int64(tasks))
	region := p.regions.Load() + 1
	for w := range p.workers {
		p.shares[w].begin(region, tasks*w/p.workers, tasks*(w+1)/p.workers)
	}
	p.regions.Swap(region)
	for w := 1; w < p.workers && w < tasks; w++ {
		if p.asleep[w].Load() {
			p.rouse(w)
		}
	}
	p.drain(0)
	p.await()
	return p.outcome()
}

// drain runs tasks until none is left to take.
func (p *Pool) drain(worker int) {
	own := &p.shares[worker]
	for {
		done := 0
		for task, ok := own.take(); ok; task, ok = own.take() {
			p.call(task, worker)
			done++
		}
		p.ended(done)
		stolen := p.steal()
		if stolen.left() == 0 {
			return
		}
		if own.put(stolen) {
			continue
		}
		from, to := stolen.ends()
		for task := from; task < to; task++ {
			p.call(task, worker)
		}
		p.ended(to - from)
	}
}

// ended counts tasks that have ended, and wakes the caller after the last.
func (p *Pool) ended(tasks int) {
	if tasks > 0 && p.pending.Add(-int64(tasks)) == 0 && p.waiting.Swap(false) {
		p.done <- struct{}{}
	}
}

// steal takes half of what is left of the largest share, if anything.
func (p *Pool) steal() claim {
	for {
		victim, most := -1, 0
		for w := range p.shares {
			if left := p.shares[w].load().left(); left > most {
				victim, most = w, left
			}
		}
		if victim < 0 {
			return 0
		}
		if c, ok := p.shares[victim].split(); ok {
			return c
		}
	}
}

// call runs one task. After a failure the rest of the region is skipped.
func (p *Pool) call(task, worker int) {
	if p.failure.Load() != nil {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			p.failure.CompareAndSwap(nil, &failure{v, debug.Stack()})
		}
	}()
	p.fn(task, worker)
}

// await returns when the last task of the region has ended. A worker that was
// slow to see the end of an earlier region may wake the caller too early, hence
// the loop.
func (p *Pool) await() {
	ended := func() bool { return p.pending.Load() == 0 }
	for !p.spun(ended) {
		p.waiting.Swap(true)
		if ended() && p.waiting.Swap(false) {
			return
		}
		<-p.done
	}
}

// spun waits a short while for ready and reports whether it came.
func (p *Pool) spun(ready func() bool) bool {
	if ready() {
		return true
	}
	if p.spin {
		for start := time.Now(); time.Since(start) < spinTime; {
			cpu.Pause(pauseBurst)
			if ready() {
				return true
			}
		}
	}
	for range yields {
		runtime.Gosched()
		if ready() {
			return true
		}
	}
	return false
}

// outcome turns the failure of a region, if any, into an error or a panic.
func (p *Pool) outcome() error {
	f := p.failure.Load()
	if f == nil {
		return nil
	}
	if fault, ok := f.value.(interface {
		error
		Addr() uintptr
	}); ok {
		return fmt.Errorf("ggml: the model's memory could not be read (was the file truncated or replaced while in use?): %w", fault)
	}
	panic(fmt.Sprintf("%v\n\n%s", f.value, f.stack))
}

// work is the life of worker w: run tasks, spin for more, sleep.
func (p *Pool) work(w int) {
	debug.SetPanicOnFault(true)
	seen := uint64(0)
	ready := func() bool { return p.regions.Load() != seen || p.closed.Load() }
	for !p.closed.Load() {
		seen = p.regions.Load()
		p.drain(w)
		if p.spun(ready) {
			continue
		}
		p.asleep[w].Swap(true)
		if ready() && p.asleep[w].Swap(false) {
			continue
		}
		<-p.wake[w]
	}
}

// rouse wakes worker w if it sleeps.
func (p *Pool) rouse(w int) {
	if p.asleep[w].Swap(false) {
		p.wake[w] <- struct{}{}
	}
}
