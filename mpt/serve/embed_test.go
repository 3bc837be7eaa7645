package serve

import (
	"context"
	"slices"
	"testing"

	"mptgo/mpt"
)

// states are the vectors of a text's tokens, evaluated alone.
func states(t *testing.T, m *mpt.Model, ids []int32) (all [][]float32) {
	t.Helper()
	s, err := m.NewSession(mpt.ContextSize(len(ids)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.EvalWith(context.Background(), ids, mpt.EvalOptions{Logits: mpt.AllStates, Visit: func(_ int, state []float32) error {
		all = append(all, slices.Clone(state))
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// embed returns the vector of a request.
func embed(t *testing.T, e *Engine, r Request) []float32 {
	t.Helper()
	s, err := e.Submit(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	ev, ok := s.Next()
	if more, again := s.Next(); !ok || again || s.Err() != nil || ev.Why != mpt.EndedLimit {
		t.Fatalf("%+v, then %+v: %v", ev, more, s.Err())
	}
	return ev.Embedding
}

// A vector is the mean of those of the tokens, or the last of them, also of a text that is read in
// many parts, and leaves nothing in the cache.
func TestEmbedding(t *testing.T) {
	m := open(t)
	e := start(t, m, Options{})
	for _, n := range []int{1, 2, 31, 63, 64, 65, 128, 300} {
		ids := tokens(uint64(n), n)
		all := states(t, m, ids)
		mean := make([]float32, len(all[0]))
		for j := range mean {
			sum := 0.0
			for _, v := range all {
				sum += float64(v[j])
			}
			mean[j] = float32(sum / float64(n))
		}
		// N, MaxTokens and Echo do not count
		r := Request{Prompt: ids, Pooling: MeanPooling, N: 3, MaxTokens: 5, Echo: true, Logprobs: 2}
		if got := embed(t, e, r); !slices.Equal(got, mean) {
			t.Errorf("the mean of %d tokens is another: %v, want %v", n, got[:3], mean[:3])
		}
		r.Pooling = LastPooling
		if got := embed(t, e, r); !slices.Equal(got, all[n-1]) {
			t.Errorf("the last of %d tokens is another: %v, want %v", n, got[:3], all[n-1][:3])
		}
	}
	if s := e.Stats(); s.CachedTokens != 0 || s.CacheQueries != 0 {
		t.Errorf("%d tokens are in the cache, %d were looked up", s.CachedTokens, s.CacheQueries)
	}
}

// A step that is tried again does not count a token twice.
func TestPoolCountsOnce(t *testing.T) {
	p := pool{sum: make([]float64, 1)}
	for _, token := range []int{0, 1, 2, 1, 2, 3} {
		p.add(token, []float32{float32(int(1) << token)})
	}
	if v := p.vector(); v[0] != 15.0/4 {
		t.Errorf("the mean is %v", v)
	}
}

func TestPoolingRefused(t *testing.T) {
	e := start(t, open(t), Options{ContextSize: 100})
	for _, r := range []Request{
		{Prompt: tokens(1, 3), Pooling: 3}, {Prompt: tokens(1, 3), Pooling: -1}, {Pooling: MeanPooling},
		{Prompt: tokens(1, 101), Pooling: LastPooling},
	} {
		if err := e.Check(r); err == nil {
			t.Errorf("%d tokens with pooling %d: no error", len(r.Prompt), r.Pooling)
		}
	}
	if len(embed(t, e, Request{Prompt: tokens(1, 100), Pooling: LastPooling})) != 32 {
		t.Error("a text as long as the context has no vector")
	}
}
