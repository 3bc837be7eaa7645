package serve

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"mptgo/gguf"
	"mptgo/internal/forge"
	"mptgo/mpt"
	"mptgo/sampling"
)

// open opens the miniature model until the end of the test.
func open(t testing.TB, opts ...mpt.Option) *mpt.Model {
	t.Helper()
	f, err := gguf.Parse("mini", forge.NewMini().File(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := mpt.Load(f, append([]mpt.Option{mpt.Threads(2), mpt.BatchSize(64), mpt.IgnoreMemory()}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if mem, err := m.Memory(); err != nil || mem.Cache != 0 {
			t.Errorf("%d bytes of keys and values are left, %v", mem.Cache, err)
		}
		m.Close()
	})
	return m
}

// start starts an engine until the end of the test.
func start(t testing.TB, m *mpt.Model, opt Options) *Engine {
	t.Helper()
	if opt.ContextSize == 0 {
		opt.ContextSize = 300
	}
	e, err := New(m, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// tokens returns n tokens, the same ones for a seed, as far as they go.
func tokens(seed uint64, n int) []int32 {
	r := rand.New(rand.NewPCG(seed, 1))
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(r.IntN(200))
	}
	return ids
}

// greedy is a request for n tokens.
func greedy(prompt []int32, n int) Request {
	return Request{Prompt: prompt, MaxTokens: n, Logprobs: -1, IgnoreEOS: true, Params: sampling.Params{}}
}

// answer is all that a stream says but times, to compare.
func answer(s *Stream) string {
	choices := map[int]*strings.Builder{}
	for {
		ev, ok := s.Next()
		if !ok {
			break
		}
		if ev.Progress != nil {
			continue
		}
		b := choices[ev.Choice]
		if b == nil {
			b = &strings.Builder{}
			choices[ev.Choice] = b
		}
		fmt.Fprintf(b, "%d %q", ev.Token.ID, ev.Token.Text)
		if p := ev.Logprob; p != nil {
			fmt.Fprintf(b, " %d %x", p.ID, math.Float64bits(p.P))
			for _, x := range p.Top {
				fmt.Fprintf(b, " %d:%x", x.ID, math.Float64bits(x.P))
			}
		}
		for _, x := range ev.Embedding {
			fmt.Fprintf(b, " %x", math.Float32bits(x))
		}
		fmt.Fprintf(b, " %s %v\n", ev.Why, ev.Err)
	}
	var all strings.Builder
	for k := -1; k < 20; k++ {
		if b := choices[k]; b != nil {
			fmt.Fprintf(&all, "choice %d\n%s", k, b)
		}
	}
	u := s.Usage()
	fmt.Fprintf(&all, "%d prompt, %d completion, %v\n", u.PromptTokens, u.CompletionTokens, s.Err())
	return all.String()
}

// ask submits a request and returns the whole answer.
func ask(t testing.TB, e *Engine, r Request) string {
	t.Helper()
	s, err := e.Submit(context.Background(), r)
	if err != nil {
		t.Error(err)
		return ""
	}
	return answer(s)
}

// waitFor waits until something is so.
func waitFor(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after ten seconds: %s", what)
		}
	}
}

// randomRequest makes a request of those of which the prompts have beginnings in common.
func randomRequest(r *rand.Rand) Request {
	stem := tokens(uint64(r.IntN(3)), 1+r.IntN(150))
	q := Request{
		Prompt: append(stem, tokens(r.Uint64(), r.IntN(30))...), N: 1 + r.IntN(2), MaxTokens: r.IntN(40),
		Logprobs: r.IntN(5) - 1, Echo: r.IntN(6) == 0, IgnoreEOS: r.IntN(2) == 0, NoCache: r.IntN(8) == 0,
		Salt: []string{"", "", "x"}[r.IntN(3)], Priority: r.IntN(3) - 1, Key: fmt.Sprint(r.IntN(3)), Progress: r.IntN(3) == 0,
	}
	if r.IntN(3) == 0 {
		q.Stop = []string{"ab", string(rune('a' + r.IntN(26)))}
	}
	if r.IntN(10) == 0 {
		q.MaxTokens = -1
	}
	if r.IntN(5) == 0 {
		q.NewConstraint = func() mpt.Constraint { return &evens{} }
	}
	q.Params = sampling.DefaultParams()
	q.Params.Seed = r.Uint64()
	q.Params.Temp = float32(r.IntN(3))
	q.Params.RepeatPenalty = 1 + float32(r.IntN(2))/4
	if r.IntN(4) == 0 {
		q.Params.Mirostat = 2
	}
	if r.IntN(6) == 0 {
		q.Pooling = MeanPooling + Pooling(r.IntN(2))
	}
	return q
}

// evens allows even tokens after even ones in number, else odd ones.
type evens struct{ n int }

func (c *evens) Allow(allowed []uint64) error {
	mask := uint64(0x5555555555555555)
	if c.n%2 == 1 {
		mask <<= 1
	}
	for i := range allowed {
		allowed[i] &= mask
	}
	return nil
}

func (c *evens) Accept(id int32) error {
	if int(id)%2 != c.n%2 {
		return fmt.Errorf("token %d as number %d", id, c.n)
	}
	c.n++
	return nil
}
