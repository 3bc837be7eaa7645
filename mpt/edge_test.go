package mpt

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"mptgo/internal/forge"
	"strings"
	"testing"

	"mptgo/gguf"
	"mptgo/sampling"
)

// collect generates to the end and returns the tokens.
func collect(s *Session, opt GenerateOptions) (ids []int32, err error) {
	for tok, err := range s.Generate(context.Background(), opt) {
		if err != nil {
			return ids, err
		}
		ids = append(ids, tok.ID)
	}
	return ids, nil
}

// evaluated returns a session that has read ids.
func evaluated(t *testing.T, m *Model, ids ...int32) *Session {
	t.Helper()
	s := m.session(t)
	if err := s.Eval(context.Background(), ids); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestNaNWeights has a weight of every tensor that is not a number, or infinite: the
// logits show it, and no token is chosen.
func TestNaNWeights(t *testing.T) {
	for i, info := range mini().Tensors {
		for name, bits := range map[string]uint32{"NaN": 0x7fc00000, "Inf": 0x7f800000} {
			t.Run(info.Name+" "+name, func(t *testing.T) {
				m := mini()
				switch info.Type {
				case gguf.F32:
					binary.LittleEndian.PutUint32(m.Data[i][4:], bits)
				default: // the scale of the first block, which holds for token 0
					binary.LittleEndian.PutUint16(m.Data[i], uint16(bits>>16)|0x7c00)
				}
				s := evaluated(t, m.open(t), 0, 1, 0)
				ids, err := collect(s, GenerateOptions{MaxTokens: 4})
				if err == nil || len(ids) > 0 || !strings.Contains(err.Error(), "sampling: ") {
					t.Errorf("tokens %v, error %v", ids, err)
				}
			})
		}
	}
}

func TestEmptyPrompt(t *testing.T) {
	s := evaluated(t, mini().open(t))
	if ids, err := collect(s, GenerateOptions{MaxTokens: 4}); err == nil || len(ids) > 0 || s.Logits() != nil {
		t.Errorf("tokens %v, error %v, logits %v", ids, err, s.Logits() != nil)
	}
}

func TestPromptLongerThanContext(t *testing.T) {
	m := mini().open(t)
	s := m.session(t, ContextSize(5))
	if err := s.Eval(context.Background(), make([]int32, 6)); !errors.Is(err, ErrContextFull) || s.Len() != 0 {
		t.Errorf("%v, %d tokens", err, s.Len())
	}
	if err := s.Eval(context.Background(), make([]int32, 5)); err != nil {
		t.Fatal(err)
	}
	g, err := s.NewGeneration(GenerateOptions{IgnoreEOS: true})
	if err != nil {
		t.Fatal(err)
	}
	if tok, ok := g.Next(context.Background()); ok || g.Why() != EndedFull || g.Err() != nil {
		t.Errorf("in a full context: %+v, ended by %q, %v", tok, g.Why(), g.Err())
	}
	ids, err := collect(s, GenerateOptions{MaxTokens: 20, IgnoreEOS: true, Shift: true})
	if err != nil || len(ids) != 20 || s.Len() > 5 {
		t.Errorf("with a shift: %d tokens, %v, %d in the session", len(ids), err, s.Len())
	}
}

func TestNoEOS(t *testing.T) {
	m := mini().set("tokenizer.ggml.eos_token_id", nil)
	tokens := append(forge.ByteTokens(), "end")
	model := m.set("tokenizer.ggml.tokens", tokens).open(t)
	if n := len(model.Tokenizer().EOGs()); n != 0 || model.Tokenizer().EOS() >= 0 {
		t.Fatalf("%d tokens end a text", n)
	}
	s := evaluated(t, model, 1)
	ids, err := collect(s, GenerateOptions{MaxTokens: -1})
	if err != nil || s.Len() != s.ContextSize() || len(ids) != s.ContextSize()-1 {
		t.Errorf("%d tokens, %v, %d of %d", len(ids), err, s.Len(), s.ContextSize())
	}
}

// No options at all: the text goes on until it ends or the context is full.
func TestZeroOptions(t *testing.T) {
	s := evaluated(t, mini().open(t), 1, 2)
	ids, err := collect(s, GenerateOptions{})
	if err != nil || len(ids) == 0 || s.Len() != 2+len(ids) {
		t.Errorf("tokens %v, error %v, %d in the session", ids, err, s.Len())
	}
}

// TestExtremeSampling has parameters at the ends of their ranges.
func TestExtremeSampling(t *testing.T) {
	m := mini().open(t)
	choose := func(params string) []int32 {
		t.Helper()
		p, err := sampling.Parse(params + ",seed=3")
		if err != nil {
			t.Fatal(err)
		}
		c, err := sampling.New(p, nil)
		if err != nil {
			t.Fatal(err)
		}
		ids, err := collect(evaluated(t, m, 7), GenerateOptions{MaxTokens: 12, IgnoreEOS: true, Sampler: c})
		if err != nil || len(ids) != 12 {
			t.Fatalf("%s: %v, %v", params, ids, err)
		}
		return ids
	}
	const plain = "samplers=top_k;temp,dry_multiplier=0"
	// A limit has the candidates sorted, so that the same random number means another.
	greedy, free, sorted := choose(plain+",temp=0"), choose(plain+",temp=1,top_k=0"), choose(plain+",temp=1,top_k=257")
	for params, want := range map[string][]int32{
		",temp=-1":                      greedy,
		",temp=1e-45":                   greedy,
		",temp=1,top_k=1":               greedy,
		",temp=3.4e38,top_k=1":          greedy,
		",temp=1,top_k=258":             sorted,
		",temp=1,top_k=2147483647":      sorted,
		",temp=1,top_k=-1":              free,
		",temp=0,top_k=100000000":       greedy,
		",temp=3.4e38,top_k=1000000000": nil, // any tokens: the choice is uniform
	} {
		if got := choose(plain + params); want != nil && !sameIDs(got, want) {
			t.Errorf("%s: %v, want %v", params, got, want)
		}
	}
	// Uniform is more than a few tokens.
	seen := map[int32]bool{}
	for _, id := range choose(plain + ",temp=3.4e38,top_k=0") {
		seen[id] = true
	}
	if len(seen) < 8 {
		t.Errorf("an endless temperature chooses only %d tokens of 12", len(seen))
	}
	if _, err := sampling.Parse("temp=inf"); err == nil {
		t.Error("an infinite temperature passes")
	}
	if math.IsNaN(float64(evaluated(t, m, 7).Logits()[0])) {
		t.Error("the model itself is broken")
	}
}

func sameIDs(a, b []int32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
