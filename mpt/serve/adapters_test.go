package serve

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mptgo/gguf"
	"mptgo/internal/forge"
	"mptgo/mpt"
)

// manyAdapters is how many there are in the tests.
const manyAdapters = 8

// forgeAdapters writes adapters for the miniature model: each changes other matrices, with
// another rank.
func forgeAdapters(t testing.TB) (paths []string) {
	t.Helper()
	dir := t.TempDir()
	for i := range manyAdapters {
		m := &forge.Mini{Meta: map[string]any{
			"general.architecture": "mpt", "general.type": "adapter", "adapter.type": "lora",
			"adapter.lora.alpha": float32(1 + i),
		}}
		r := rand.New(rand.NewPCG(uint64(i), 5))
		rank := 1 + 3*i
		for k, x := range []struct {
			name    string
			in, out int
		}{
			{"blk.0.attn_qkv.weight", 32, 96}, {"blk.0.attn_output.weight", 32, 32}, {"blk.0.ffn_up.weight", 32, 64},
			{"blk.0.ffn_down.weight", 64, 32}, {"output.weight", 32, 257},
		} {
			if i > 0 && (i>>(k%3))&1 == 0 {
				continue // the first changes all, others some
			}
			m.Add(gguf.TensorInfo{Name: x.name + ".lora_a", Type: gguf.F32, Shape: []int{x.in, rank}}, normal(r, x.in*rank))
			m.Add(gguf.TensorInfo{Name: x.name + ".lora_b", Type: gguf.F32, Shape: []int{rank, x.out}}, normal(r, x.out*rank))
		}
		path := filepath.Join(dir, fmt.Sprintf("a%d.gguf", i))
		if err := os.WriteFile(path, m.File(t), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// normal are n random values of float32, as bytes.
func normal(r *rand.Rand, n int) (b []byte) {
	for range n {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(r.NormFloat64()/4)))
	}
	return b
}

// mixture is which adapters a request uses, in which order, and how strongly.
type mixture []struct {
	adapter int
	scale   float32
}

// of returns the mixture of adapters of a model, by their numbers.
func (x mixture) of(loaded map[int]*mpt.Adapter) []mpt.AdapterUse {
	uses := []mpt.AdapterUse{}
	for _, u := range x {
		uses = append(uses, mpt.AdapterUse{Adapter: loaded[u.adapter], Scale: u.scale})
	}
	return uses
}

// loadAll loads some adapters.
func loadAll(t testing.TB, m *mpt.Model, paths []string, numbers ...int) map[int]*mpt.Adapter {
	t.Helper()
	loaded := map[int]*mpt.Adapter{}
	for _, i := range numbers {
		a, err := m.LoadAdapter(paths[i])
		if err != nil {
			t.Fatal(err)
		}
		loaded[i] = a
	}
	return loaded
}

// randomMixture is none, one, two or three adapters, in the order in which a server has them;
// some scales are 0.
func randomMixture(r *rand.Rand) (x mixture) {
	some := r.Perm(manyAdapters)[:r.IntN(4)]
	slices.Sort(some)
	for _, i := range some {
		x = append(x, mixture{{i, []float32{1, 1, 0.5, -1, 0}[r.IntN(5)]}}...)
	}
	return x
}

// TestAdaptersAmongOthers asks random requests with all mixtures of adapters at about the same
// time: each has the bits that it has alone, of a model that has loaded its adapters and no
// others.
func TestAdaptersAmongOthers(t *testing.T) {
	n := 40
	if testing.Short() {
		n = 16
	}
	paths := forgeAdapters(t)
	r := rand.New(rand.NewPCG(8, 8))
	requests, mixtures, want := make([]Request, n), make([]mixture, n), make([]string, n)
	for i := range requests {
		requests[i], mixtures[i] = randomRequest(r), randomMixture(r)
		if i%4 == 3 { // the same as another, but for the adapters
			requests[i] = requests[i-1]
		}
		m := open(t)
		var own []int
		for _, u := range mixtures[i] {
			own = append(own, u.adapter)
		}
		q := requests[i]
		q.Adapters = mixtures[i].of(loadAll(t, m, paths, own...))
		e := start(t, m, Options{CacheBytes: -1})
		want[i] = ask(t, e, q)
		e.Close()
	}
	for name, x := range map[string]struct {
		opt    Options
		budget int64 // pages of all sequences
	}{
		"plenty":      {Options{Parallel: 16}, 0},
		"no cache":    {Options{Parallel: 16, CacheBytes: -1}, 0},
		"short steps": {Options{Parallel: 8, StepTime: time.Nanosecond}, 0},
		"little":      {Options{Parallel: 16, CacheBytes: -1}, 14},
	} {
		t.Run(name, func(t *testing.T) {
			var with []mpt.Option
			for _, path := range paths {
				with = append(with, mpt.LoRA(path, 0))
			}
			m := open(t, with...)
			if x.budget > 0 {
				m = open(t, append(with, limit(t, 1, x.budget, with...))...)
			}
			loaded, mixed := map[int]*mpt.Adapter{}, make([]Request, n)
			for i, u := range m.Adapters() {
				loaded[i] = u.Adapter
			}
			for i := range mixed {
				mixed[i] = requests[i]
				mixed[i].Adapters = mixtures[i].of(loaded)
			}
			x.opt.MaxQueue = 2 * n
			testSame(t, start(t, m, x.opt), mixed, want)
		})
	}
}

// TestPrefixesOfAdapters: what one mixture of adapters has evaluated is found by the same one
// alone.
func TestPrefixesOfAdapters(t *testing.T) {
	m := open(t)
	loaded := loadAll(t, m, forgeAdapters(t), 0, 1)
	e := start(t, m, Options{})
	prompt := tokens(1, 100)
	answers := map[string]string{}
	for _, x := range []mixture{
		nil, {{0, 1}}, {{0, 0.5}}, {{1, 1}}, {{0, 1}, {1, 1}}, {{1, 1}, {0, 1}}, {{0, -1}},
	} {
		q := greedy(prompt, 5)
		q.Logprobs, q.Adapters = 3, x.of(loaded)
		for again := range 2 {
			s, err := e.Submit(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			got := answer(s)
			if cached := s.Usage().CachedTokens; cached != again*len(prompt) {
				t.Errorf("%v, time %d: %d tokens of %d were cached", x, again+1, cached, len(prompt))
			}
			if old, ok := answers[fmt.Sprint(x)]; ok && got != old {
				t.Errorf("%v: the second time has another answer", x)
			}
			answers[fmt.Sprint(x)] = got
		}
	}
	off := greedy(prompt, 5)
	off.Logprobs, off.Adapters = 3, mixture{{0, 0}, {1, 0}}.of(loaded)
	s, err := e.Submit(t.Context(), off)
	if err != nil {
		t.Fatal(err)
	}
	if got := answer(s); got != answers["[]"] || s.Usage().CachedTokens != len(prompt) {
		t.Errorf("adapters with the scale 0 are not as none: %d tokens cached\n%s", s.Usage().CachedTokens,
			difference(answers["[]"], got))
	}
	different := map[string]bool{}
	for _, text := range answers {
		different[text] = true
	}
	// Two in another order add up in another order: the bits may be the same or not.
	if len(different) < len(answers)-1 {
		t.Errorf("%d mixtures have %d answers: %s", len(answers), len(different), strings.Join(strings.Fields(answers["[]"])[:6], " "))
	}
}

// slow allows every token, but not soon.
type slow struct{}

func (slow) Allow([]uint64) error {
	time.Sleep(5 * time.Millisecond)
	return nil
}

func (slow) Accept(int32) error { return nil }

// TestStatsOfAdapters: the engine tells which adapters are in use.
func TestStatsOfAdapters(t *testing.T) {
	m := open(t)
	loaded := loadAll(t, m, forgeAdapters(t), 0, 1, 2)
	e := start(t, m, Options{Parallel: 1, CacheBytes: -1})
	var streams []*Stream
	for _, x := range []mixture{{{1, 1}, {2, 0}}, {{0, 2}}} {
		q := greedy(tokens(1, 10), -1)
		q.Adapters, q.NewConstraint = x.of(loaded), func() mpt.Constraint { return slow{} }
		s, err := e.Submit(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, s)
		waitFor(t, "nothing runs", func() bool { return len(e.Stats().Slots) == 1 })
	}
	waitFor(t, "other adapters are in use", func() bool {
		s := e.Stats()
		return len(s.RunningAdapters) == 1 && s.RunningAdapters[0] == loaded[1] &&
			len(s.WaitingAdapters) == 1 && s.WaitingAdapters[0] == loaded[0]
	})
	for _, s := range streams {
		s.Close()
	}
	waitFor(t, "ended requests use adapters", func() bool {
		s := e.Stats()
		return len(s.RunningAdapters)+len(s.WaitingAdapters) == 0
	})
}
