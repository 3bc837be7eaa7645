package measure

import (
	"context"
	"slices"
	"testing"

	"mptgo/mpt"
	"mptgo/sampling"
)

// TestWriteTogether: chunks that are written together are those that sessions of their
// own write, token by token.
func TestWriteTogether(t *testing.T) {
	m := mini(t)
	const n, length, seed = 5, 20, 7
	chunks, err := write(context.Background(), m, 2, n, length, seed, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range chunks {
		if got := writeAlone(t, m, seed+2+uint64(i), length); !slices.Equal(got, want) {
			t.Errorf("chunk %d: %v alone, %v together", i, got, want)
		}
	}
	if slices.Equal(chunks[0], chunks[1]) {
		t.Error("two chunks are the same")
	}
}

func writeAlone(t *testing.T, m *mpt.Model, seed uint64, length int) []int32 {
	t.Helper()
	s, err := m.NewSession(mpt.ContextSize(length))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := sampling.DefaultParams()
	p.Seed, p.Temp, p.TopK, p.TopP, p.MinP = seed, 1, 0, 1, 0
	chain, err := sampling.New(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	start, err := startToken(m)
	if err != nil {
		t.Fatal(err)
	}
	ids := []int32{start}
	for len(ids) < length {
		if err := s.Eval(context.Background(), ids[len(ids)-1:]); err != nil {
			t.Fatal(err)
		}
		id, err := chain.Sample(s.Logits())
		if err != nil {
			t.Fatal(err)
		}
		chain.Accept(id)
		ids = append(ids, id)
	}
	return ids
}
