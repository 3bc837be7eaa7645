package mpt

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mptgo/ggml"
	"mptgo/gguf"
	"mptgo/internal/check"
)

// neighbour is a sequence that is evaluated among others, in pieces.
type neighbour struct {
	s    *Session
	uses []AdapterUse
	ids  []int32    // all that it will read
	rows [][]uint32 // bits of the logits after each token; nil where they were not wanted
}

// twoAdapters returns two adapters of m that differ.
func twoAdapters(t testing.TB, m *Model) (list [2]*Adapter) {
	t.Helper()
	for i := range list {
		file := miniAdapter()
		for _, data := range file.Data {
			for k := 3; k < len(data); k += 4 {
				data[k] ^= byte(i * 0x80 * (k / 4 % 2)) // signs
			}
		}
		var err error
		if list[i], err = m.LoadAdapter(file.onDisk(t)); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// newNeighbours returns n sequences of different lengths with different adapters, some of
// which begin as forks of the one before.
func newNeighbours(t testing.TB, m *Model, r *rand.Rand, n int) []*neighbour {
	t.Helper()
	a := twoAdapters(t, m)
	sets := [][]AdapterUse{nil, {{a[0], 1}}, nil, {{a[1], 0.5}}, {{a[0], 2}, {a[1], -1}}, {{a[1], 3}, {a[0], 1}}, {{a[0], 0}}}
	list := make([]*neighbour, n)
	for i := range list {
		x := &neighbour{uses: sets[i%len(sets)], ids: make([]int32, 1+r.IntN(90))}
		if i%23 == 5 {
			x.ids = make([]int32, 560) // more than a chunk of attention
		}
		for k := range x.ids {
			x.ids[k] = int32(r.IntN(m.config.Vocab))
		}
		x.rows = make([][]uint32, len(x.ids))
		x.s = m.session(t, ContextSize(600))
		if err := x.s.SetAdapters(x.uses...); err != nil {
			t.Fatal(err)
		}
		list[i] = x
	}
	return list
}

// forkSome makes some sequences go on as forks of others, with what those have read.
func forkSome(t testing.TB, list []*neighbour) {
	t.Helper()
	for i := 3; i < len(list); i += 7 {
		x, from := list[i], list[i-1]
		if from.s.Len() == 0 {
			continue
		}
		f, err := from.s.Fork()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(f.Close)
		x.s, x.uses = f, from.uses
		x.ids = append(slices.Clone(from.ids[:f.Len()]), x.ids...)
		x.rows = make([][]uint32, len(x.ids))
	}
}

// steps picks some of the sequences, in any order, with a piece of what they have to read.
func steps(r *rand.Rand, list []*neighbour) (steps []Step, of []*neighbour) {
	for _, i := range r.Perm(len(list)) {
		x := list[i]
		at := x.s.Len()
		if left := len(x.ids) - at; left > 0 && r.IntN(4) > 0 {
			n := min([]int{1, 1, 1, 1, 2, 3, 17, 48, 200}[r.IntN(9)], left)
			s := Step{Session: x.s, IDs: x.ids[at : at+n], Logits: Wanted(r.IntN(3))}
			s.Visit = func(i int, logits []float32) error {
				x.rows[at+i] = bitsOf(logits)
				return nil
			}
			steps, of = append(steps, s), append(of, x)
		}
	}
	return steps, of
}

func bitsOf(x []float32) []uint32 {
	b := make([]uint32, len(x))
	for i, v := range x {
		b[i] = math.Float32bits(v)
	}
	return b
}

// TestNeighbours evaluates random pieces of random sequences together: prompts beside
// single tokens, at all positions, with other adapters, some wanted and some not. Every row
// has the bits that its sequence gives alone, and that every tier gives.
func TestNeighbours(t *testing.T) {
	check.Tier(t, ggml.Tiers())
	for _, cache := range []gguf.Type{gguf.F16, gguf.Q8_0} {
		for _, n := range []int{1, 2, 7, 64} {
			if testing.Short() && (n == 64 || n == 2) {
				continue
			}
			var first string
			for _, tier := range ggml.Tiers() {
				t.Run(fmt.Sprintf("%v/%d/%s", cache, n, tier), func(t *testing.T) {
					m := mini().open(t, Tier(tier), CacheType(cache), BatchSize(96), Threads(2))
					digest := testNeighbours(t, m, n)
					if first == "" {
						first = digest
					} else if digest != first {
						t.Error("other bits than those of the first tier")
					}
				})
			}
		}
	}
}

func testNeighbours(t *testing.T, m *Model, n int) (digest string) {
	r := rand.New(rand.NewPCG(uint64(n), 5))
	list := newNeighbours(t, m, r, n)
	for round := 0; ; round++ {
		if round == 3 {
			forkSome(t, list)
		}
		steps, of := steps(r, list)
		if err := m.Run(context.Background(), steps); err != nil {
			t.Fatal(err)
		}
		for i, s := range steps {
			if s.Err != nil || s.Done != len(s.IDs) || (s.Logits == NoLogits) != (of[i].s.Logits() == nil) {
				t.Fatalf("a step of %d tokens: %d done, %v", len(s.IDs), s.Done, s.Err)
			}
			if s.Logits == LastLogits {
				of[i].rows[of[i].s.Len()-1] = bitsOf(of[i].s.Logits())
			}
		}
		if !slices.ContainsFunc(list, func(x *neighbour) bool { return x.s.Len() < len(x.ids) }) {
			break
		}
	}
	compared := 0
	for i, x := range list {
		some, n := x.compare(t, m, i)
		digest, compared = digest+some, compared+n
	}
	if compared < n {
		t.Errorf("only %d rows of %d sequences were compared", compared, n)
	}
	return digest
}

// compare evaluates the sequence alone.
func (x *neighbour) compare(t *testing.T, m *Model, i int) (digest string, some int) {
	alone := m.session(t, ContextSize(600))
	if err := alone.SetAdapters(x.uses...); err != nil {
		t.Fatal(err)
	}
	err := alone.EvalAll(context.Background(), x.ids, func(k int, logits []float32) error {
		if x.rows[k] == nil {
			return nil
		}
		if some++; !slices.Equal(x.rows[k], bitsOf(logits)) {
			return fmt.Errorf("sequence %d: token %d of %d has other logits than alone", i, k, len(x.ids))
		}
		digest += fmt.Sprintf("%x ", x.rows[k][k%len(logits)])
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return digest, some
}

// TestRunRefuses: what is wrong with a step is an error of that step alone.
func TestRunRefuses(t *testing.T) {
	m, other := mini().open(t), mini().open(t)
	good, twice, full, closed, foreign := m.session(t), m.session(t), m.session(t, ContextSize(3)), m.session(t), other.session(t)
	closed.Close()
	bad := errors.New("enough")
	steps := []Step{
		{Session: twice, IDs: []int32{1, 2}},
		{Session: full, IDs: []int32{1, 2, 3, 4}},
		{Session: closed, IDs: []int32{1}},
		{Session: foreign, IDs: []int32{1}},
		{IDs: []int32{1}},
		{Session: twice, IDs: []int32{3}},
		{Session: m.session(t), IDs: []int32{1, -1}},
		{Session: m.session(t), IDs: []int32{1, 2, 3}, Logits: AllLogits, Visit: func(i int, _ []float32) error { return bad }},
		{Session: good, IDs: []int32{5, 6, 7}},
		{Session: m.session(t)},
	}
	if err := m.Run(context.Background(), steps); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "the context is full", "after Close", "another model", "another model", "in use", "not in the vocabulary", "enough", "", ""} {
		if err := steps[i].Err; (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("step %d: %v, want %q", i, err, want)
		}
	}
	if !errors.Is(steps[1].Err, ErrContextFull) || !errors.Is(steps[7].Err, bad) || foreign.Len() != 0 || full.Len() != 0 {
		t.Errorf("%v, %v, %d tokens in a foreign session, %d in a full one", steps[1].Err, steps[7].Err, foreign.Len(), full.Len())
	}
	alone := m.session(t)
	if err := alone.Eval(context.Background(), []int32{5, 6, 7}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(bitsOf(alone.Logits()), bitsOf(good.Logits())) || good.Len() != 3 || twice.Len() != 2 {
		t.Error("errors of others have changed a result")
	}
	done, cancel := context.WithCancel(context.Background())
	cancel()
	if err := m.Run(done, steps[8:9]); !errors.Is(err, context.Canceled) || !errors.Is(steps[8].Err, context.Canceled) {
		t.Errorf("%v, %v", err, steps[8].Err)
	}
}
