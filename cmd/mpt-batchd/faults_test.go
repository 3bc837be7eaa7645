package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mptgo/cmd/internal/batch"
	"mptgo/cmd/internal/batch/queue"
)

// times is how often a fault happens: few in the gate, more by MPTGO_QUEUE_FAULTS=N for each.
func times(t *testing.T, few int) int {
	if text := os.Getenv("MPTGO_QUEUE_FAULTS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return few
}

const slow = 20 * time.Millisecond

// three starts three workers.
func (s *site) three(change ...func(*queue.WorkOptions)) (all []*worker) {
	for i := range 3 {
		all = append(all, s.work(s.url(), fmt.Sprint("w", i), &stub{delay: slow}, change...))
	}
	return all
}

// done waits until the batch has so many results.
func (s *site) done(q *queue.Queue, n int) {
	s.t.Helper()
	for limit := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		st, err := q.Status(s.t.Context(), "b")
		if err == nil && st.Done >= n {
			return
		}
		if time.Now().After(limit) {
			s.t.Fatalf("no %d results: %v", n, s.state(q))
		}
	}
}

// Nothing fails: one submits, three work, two collect at the same time.
func TestCluster(t *testing.T) {
	s := newSite(t)
	in := s.input(500)
	want := s.local(in)
	q := s.connect(s.url())
	s.mustSubmit(q, in)
	all := s.three()
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { s.wantSame(s.connect(s.url()), in, want) })
	}
	wg.Wait()
	n := int64(0)
	for _, w := range all {
		if err := w.stop(); err != nil {
			t.Error(err)
		}
		if w.counts.Answered == 0 {
			t.Error("a worker has done nothing")
		}
		n += w.counts.Answered
	}
	if n != 490 {
		t.Errorf("%d answers were stored", n)
	}
}

// Two submit the same file, each is cut off again and again, and another while workers are at it.
func TestSubmitCutOff(t *testing.T) {
	s := newSite(t)
	in := s.input(3000)
	want := s.local(in)
	r := rand.New(rand.NewPCG(1, 2))
	for range times(t, 5) {
		var wg sync.WaitGroup
		for range 2 {
			q := s.connect(s.url())
			wait := time.Duration(r.IntN(300)) * time.Millisecond
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), wait)
				defer cancel()
				s.submit(ctx, q, in, 500)
			})
		}
		wg.Wait()
	}
	for i := range 3 {
		s.work(s.url(), fmt.Sprint("w", i), &stub{})
	}
	q := s.connect(s.url())
	if _, err := s.submit(t.Context(), q, in, 500); err != nil {
		t.Fatal(err)
	}
	s.wantSame(q, in, want)
}

// Whoever submits is never seen again: what collects goes on with it.
func TestSubmitGone(t *testing.T) {
	s := newSite(t)
	in := s.input(1500)
	q := s.connect(s.url())
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for t.Context().Err() == nil {
			if st, err := q.Status(t.Context(), "b"); err == nil && st.Waiting >= 256 {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		cancel()
	}()
	if _, err := s.submit(ctx, q, in, 300); err == nil {
		t.Fatal("it was submitted whole")
	}
	for i := range 3 {
		s.work(s.url(), fmt.Sprint("w", i), &stub{})
	}
	s.wantSame(q, in, s.local(in))
}

// Workers are cut off between a stored result and its acknowledgement.
func TestWorkerStopsBeforeAck(t *testing.T) {
	s := newSite(t)
	in := s.input(500)
	q := s.connect(s.url())
	s.mustSubmit(q, in)
	var stopped atomic.Int64
	most := int64(times(t, 12))
	var start func(i int)
	start = func(i int) {
		var w *worker
		var once sync.Once
		ready := make(chan struct{})
		w = s.work(s.url(), fmt.Sprint("w", i), &stub{delay: slow}, func(o *queue.WorkOptions) {
			o.Stored = func(string, int) {
				<-ready
				if stopped.Add(1) <= most {
					once.Do(func() {
						w.crash()
						go start(i + 3)
					})
				}
			}
		})
		close(ready)
	}
	for i := range 3 {
		start(i)
	}
	s.wantSame(q, in, s.local(in))
	if stopped.Load() < most {
		t.Errorf("only %d were stopped", stopped.Load())
	}
}

// The server is killed and started again, and loses the end of what it had written.
func TestServerKilled(t *testing.T) {
	for _, loses := range []bool{false, true} {
		t.Run(fmt.Sprint("loses=", loses), func(t *testing.T) {
			s := newSite(t, "--sync", "2m")
			in := s.input(500)
			q := s.connect(s.url())
			s.mustSubmit(q, in)
			for i := range 3 {
				s.work(s.url(), fmt.Sprint("w", i), &stub{delay: 5 * slow}, func(o *queue.WorkOptions) { o.Parallel = 2 })
			}
			r := rand.New(rand.NewPCG(3, 4))
			var ended atomic.Bool
			over := make(chan int)
			go func() {
				n := 0
				for n < times(t, 5) && !ended.Load() {
					time.Sleep(time.Duration(100+r.IntN(400)) * time.Millisecond)
					s.kill()
					if loses {
						s.cut(r)
					}
					s.start()
					n++
				}
				over <- n
			}()
			s.wantSame(q, in, s.local(in))
			ended.Store(true)
			if n := <-over; n < times(t, 5) {
				t.Errorf("it was killed only %d times", n)
			}
		})
	}
}

// cut cuts off the last bytes of every file of messages, up to 1 MB.
func (s *site) cut(r *rand.Rand) {
	files, _ := filepath.Glob(filepath.Join(s.store(), "jetstream/*/streams/*/msgs/*.blk"))
	for _, path := range files {
		if info, err := os.Stat(path); err == nil && r.IntN(2) == 0 {
			os.Truncate(path, r.Int64N(min(info.Size(), 1<<20)+1))
		}
	}
}

// All that the server has is deleted.
func TestStoreDeleted(t *testing.T) {
	s := newSite(t)
	in := s.input(500)
	q := s.connect(s.url())
	s.mustSubmit(q, in)
	s.three()
	go func() {
		s.done(q, 100)
		s.kill()
		os.RemoveAll(s.store())
		s.start()
	}()
	s.wantSame(q, in, s.local(in))
	if !s.told("the server has lost batch b") {
		t.Error("nobody has said so")
	}
}

// The network between the workers and the server is silent for longer than a request may be
// held, then all comes through.
func TestPartition(t *testing.T) {
	s := newSite(t)
	in := s.input(500)
	q := s.connect(s.url())
	s.mustSubmit(q, in)
	silent := 3 * time.Second // twice as long as a request may be held
	if d, err := time.ParseDuration(os.Getenv("MPTGO_QUEUE_PARTITION")); err == nil {
		silent = d
	}
	p := newProxy(t, s.port)
	for i := range 3 {
		url := s.url()
		if i > 0 {
			url = p.url()
		}
		s.work(url, fmt.Sprint("w", i), &stub{delay: 100 * time.Millisecond})
	}
	go func() {
		s.done(q, 50)
		p.silent.Store(true)
		time.Sleep(silent)
		p.silent.Store(false)
	}()
	s.wantSame(q, in, s.local(in))
}

// There is little room for requests: more wait until others are answered.
func TestFull(t *testing.T) {
	s := newSite(t)
	in := s.input(1000)
	q := s.connect(s.url(), func(o *queue.Options) { o.MaxBytes = 32 << 10 })
	failed := make(chan error, 1)
	go func() {
		_, err := s.submit(t.Context(), q, in, 0)
		failed <- err
	}()
	for limit := time.Now().Add(time.Minute); !s.told("does not take requests now") && time.Now().Before(limit); time.Sleep(10 * time.Millisecond) {
	}
	s.three()
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	if !s.told("does not take requests now") {
		t.Error("it was never full")
	}
	s.wantSame(q, in, s.local(in))
}

// Requests that end every worker do not hold up the others, and nobody else is blamed.
func TestPoison(t *testing.T) {
	s := newSite(t)
	in := s.input(495, "poison 1", "poison 2", "poison 3", "poison 4", "poison 5")
	q := s.connect(s.url())
	s.mustSubmit(q, in)
	var n atomic.Int64
	var start func()
	start = func() {
		var w *worker
		var once sync.Once
		ready := make(chan struct{})
		w = s.work(s.url(), fmt.Sprint("w", n.Add(1)), &stub{delay: slow, die: func(*batch.Request) {
			<-ready
			once.Do(func() {
				w.crash()
				go start()
			})
		}})
		close(ready)
	}
	for range 3 {
		start()
	}
	want := s.local(in)
	if strings.Count(want.errors, "request_crashed") != 5 {
		t.Fatal(want.errors)
	}
	s.wantSame(q, in, want)
	t.Logf("%d workers", n.Load())
}

// A worker with another model, or other flags, gets nothing.
func TestOtherModel(t *testing.T) {
	s := newSite(t)
	in := s.input(50)
	q := s.connect(s.url())
	s.mustSubmit(q, in)
	other := identity
	other.Model = strings.Repeat("cd", 32)
	flags := identity
	flags.Options = map[string]string{"--temp": "0.9", "--limit": "0"}
	for text, id := range map[string]batch.Identity{
		"the model is another": other, `--temp was "0.8" and is "0.9"`: flags,
	} {
		if all := q.Strangers(t.Context(), id); len(all) != 1 || !strings.Contains(all[0], text) {
			t.Errorf("it is told %q, want %s", all, text)
		}
		w := s.work(s.url(), "other", &stub{}, func(o *queue.WorkOptions) { o.Identity, o.Idle = id, 400*time.Millisecond })
		if err := <-w.ended; err != nil || w.counts != (queue.WorkCounts{}) {
			t.Errorf("%v, %+v", err, w.counts)
		}
	}
	s.three()
	s.wantSame(q, in, s.local(in))
}

// A machine that computes wrong is found by comparing, and named; what it has answered is then
// computed by others.
func TestDivergence(t *testing.T) {
	s := newSite(t)
	in := s.input(200)
	q := s.connect(s.url())
	s.mustSubmit(q, in)
	bad := s.work(s.url(), "bad", &stub{delay: slow, wrong: true})
	s.done(q, 20)
	s.work(s.url(), "good", &stub{delay: slow})
	out := filepath.Join(s.dir, "out.jsonl")
	verify := func(o *queue.CollectOptions, _ *batch.Options) { o.Verify = 1 }
	err := s.collect(q, in, out, verify)
	var diverged *queue.DivergedError
	if !errors.As(err, &diverged) || !strings.Contains(err.Error(), "bad") || !strings.Contains(err.Error(), "good") {
		t.Fatal(err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("it was written nevertheless")
	}
	if st, err := q.Status(t.Context(), "b"); err != nil || len(st.Divergences) != len(diverged.All) || len(st.Workers) != 2 {
		t.Errorf("%+v, %v", st, err)
	}
	if err := s.collect(q, in, out); err == nil {
		t.Error("the second time it was written")
	}
	bad.stop()
	if bad.counts.Answered == 0 {
		t.Error("it has answered nothing")
	}
	s.work(s.url(), "third", &stub{delay: slow})
	distrust := func(o *queue.CollectOptions, opt *batch.Options) {
		o.Distrust, o.Verify, opt.Anew = []string{"bad"}, 1, true
	}
	s.wantSame(q, in, s.local(in), distrust)
}
