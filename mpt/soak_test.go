package mpt

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mptgo/sampling"
)

// task is what one session does: a text to read, a continuation, and what it has to
// come to, whoever else is at work.
type task struct {
	ids      []int32
	wanted   int
	seed     uint64
	adapters []AdapterUse
	result   string
}

// tasks returns n tasks of different lengths, with their results one by one.
func tasks(t *testing.T, m *Model, n int) []task {
	t.Helper()
	adapter, err := m.LoadAdapter(miniAdapter().onDisk(t))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, uint64(n)))
	list := make([]task, n)
	for i := range list {
		x := &list[i]
		x.ids, x.wanted, x.seed = make([]int32, 1+r.IntN(1+40*i)), 1+r.IntN(20), r.Uint64()
		for k := range x.ids {
			x.ids[k] = int32(r.IntN(m.Config().Vocab))
		}
		if i%3 == 0 {
			x.adapters = []AdapterUse{{adapter, float32(i)}}
		}
		if x.result, err = x.do(context.Background(), m.NewSession, 512, nil); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// opener makes a session: [Model.NewSession] or [Batcher.NewSession].
type opener func(...SessionOption) (*Session, error)

// do carries the task out, in pieces of the given size, and returns the tokens and the
// bits of the last logits. Half of the way it goes on with a fork.
func (x *task) do(ctx context.Context, open opener, piece int, step func()) (string, error) {
	s, err := open(ContextSize(len(x.ids) + x.wanted))
	if err != nil {
		return "", err
	}
	defer func() { s.Close() }()
	if err := s.SetAdapters(x.adapters...); err != nil {
		return "", err
	}
	for ids := range slices.Chunk(x.ids, piece) {
		if err := s.Eval(ctx, ids); err != nil {
			return "", err
		}
	}
	f, err := s.Fork()
	if err != nil {
		return "", err
	}
	s.Close()
	s = f
	p := sampling.DefaultParams()
	p.Seed = x.seed
	p.DRYBreakers = nil
	chain, err := sampling.New(p, nil)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for tok, err := range s.Generate(ctx, GenerateOptions{MaxTokens: x.wanted, Sampler: chain, IgnoreEOS: true}) {
		if err != nil {
			return "", err
		}
		fmt.Fprint(&text, tok.ID, " ")
		if step != nil {
			step()
		}
	}
	fmt.Fprintf(&text, "%x", s.Logits())
	return text.String(), nil
}

// soak carries out tasks with many sessions at once until the time is over, half of
// them cancelled at some moment. One in eight evaluates by itself, the others together.
func soak(t *testing.T, m *Model, list []task, workers int, long time.Duration) (done, cancelled int64) {
	var n, c atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(long)
	together := NewBatcher(m)
	for w := range workers {
		open := opener(together.NewSession)
		if w%8 == 0 {
			open = m.NewSession
		}
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 3))
			for first := true; first || time.Now().Before(end); first = false {
				x := &list[r.IntN(len(list))]
				ctx, cancel := context.WithCancel(context.Background())
				left, steps := r.IntN(40), 0
				if left < 10 {
					time.AfterFunc(time.Duration(r.IntN(3000))*time.Microsecond, cancel)
				}
				got, err := x.do(ctx, open, 1+r.IntN(100), func() {
					if steps++; steps == left {
						cancel()
					}
				})
				cancel()
				switch {
				case errors.Is(err, context.Canceled):
					c.Add(1)
				case err != nil:
					t.Error(err)
				case got != x.result:
					t.Errorf("a session of %d tokens: another result than alone", len(x.ids))
				default:
					n.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return n.Load(), c.Load()
}

// TestSoak has many sessions of one model at work at once, of different lengths, some
// with adapters, some cancelled at any moment: the results are those of one after the
// other, to the bit, and in the end neither memory, goroutines nor mappings are left. MPTGO_SOAK
// is how long it goes on, such as 10m; see scripts/soak.
func TestSoak(t *testing.T) {
	long := 2 * time.Second
	if text := os.Getenv("MPTGO_SOAK"); text != "" {
		var err error
		if long, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	} else if testing.Short() {
		long = 200 * time.Millisecond
	}
	goroutines, maps := runtime.NumGoroutine(), mappings("mini.gguf")
	path := mini().onDisk(t)
	m, err := Open(path, Threads(2))
	if err != nil {
		t.Fatal(err)
	}
	list := tasks(t, m, 12)
	if n := mappings("mini.gguf"); runtime.GOOS == "linux" && n != maps+1 {
		t.Errorf("%d mappings of an open file, %d before", n, maps)
	}
	var done, cancelled int64
	var grown [9]int64 // what each part of the time adds to the memory in use
	for i := range grown {
		memory := heap()
		d, c := soak(t, m, list, 8, long/time.Duration(len(grown)))
		done, cancelled = done+d, cancelled+c
		grown[i] = heap() - memory
	}
	t.Logf("%d sessions in %v, %d cancelled; memory in use grew by %d", done+cancelled, long, cancelled, grown)
	if done == 0 {
		t.Error("no session came to its end")
	}
	// Buffers that are kept for the next session grow until the longest ones have been
	// there, at no time that a test can tell. What is lost grows with every part.
	slices.Sort(grown[:])
	if grown[len(grown)/2] > 256<<10 {
		t.Errorf("memory in use grows without end: %d bytes in parts of %v", grown, long/time.Duration(len(grown)))
	}
	if n := m.pages.inUse(); n != 0 || len(m.pages.free) != 0 {
		t.Errorf("%d bytes of keys and values are in use, %d pages kept", n, len(m.pages.free))
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if n := mappings("mini.gguf"); n != maps {
		t.Errorf("%d mappings are left, %d before", n, maps)
	}
	for range 100 { // those that end take their time
		if runtime.NumGoroutine() <= goroutines {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("%d goroutines are left, %d before", n, goroutines)
	}
}

// heap returns how many bytes are in use, those of no pool.
func heap() int64 {
	runtime.GC()
	runtime.GC() // a pool outlives one collection
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestOpenAndClose opens models and closes them, whole and broken ones.
func TestOpenAndClose(t *testing.T) {
	good := mini().onDisk(t)
	bad := mini().set("mpt.block_count", uint32(2)).onDisk(t)
	goroutines, maps := runtime.NumGoroutine(), mappings("mini.gguf")
	for range 50 {
		if _, err := Open(bad); err == nil {
			t.Fatal("a broken model opens")
		}
		m, err := Open(good, Threads(2))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(50 * time.Millisecond)
	if n := mappings("mini.gguf"); n != maps {
		t.Errorf("%d mappings are left, %d before", n, maps)
	}
	if n := runtime.NumGoroutine(); n > goroutines+1 {
		t.Errorf("%d goroutines are left, %d before", n, goroutines)
	}
}

// mappings counts the mapped files of that name, where the system tells.
func mappings(name string) int {
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return 0
	}
	return strings.Count(string(b), name)
}
