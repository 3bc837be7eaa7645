package mpt

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mptgo/gguf"
	"mptgo/sampling"
)

// drafter opens a draft model for m until the end of the test.
func (x miniature) drafter(t *testing.T, m *Model, opt DrafterOptions, opts ...Option) *Drafter {
	t.Helper()
	d, err := NewDrafter(m, x.open(t, opts...), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.Close()
		if n := d.m.pages.inUse(); n != 0 || m.pages.lent != 0 {
			t.Errorf("%d bytes are left, %d of the model's account", n, m.pages.lent)
		}
	})
	return d
}

// A draft model changes nothing but the time either, whether it agrees or not, and where it does
// it guesses what is drawn, not what is likeliest.
func TestDraftModelChangesNothing(t *testing.T) {
	unlike := mini().set("mpt.attention.max_alibi_bias", float32(900))
	for name, draft := range map[string]miniature{"alike": mini(), "unlike": unlike} {
		m := mini().open(t, BatchSize(32))
		d := draft.drafter(t, m, DrafterOptions{}, CacheType(gguf.Q8_0), BatchSize(16))
		r := rand.New(rand.NewPCG(7, 8))
		drafted, accepted := 0, 0
		for sampler, p := range specParams() {
			for round := range 3 {
				x := specCase{params: p, context: 20 + r.IntN(60)}
				x.params.Seed = r.Uint64()
				for range 1 + r.IntN(15) {
					x.prompt = append(x.prompt, int32(r.IntN(m.Config().Vocab)))
				}
				x.opt = GenerateOptions{MaxTokens: r.IntN(50), IgnoreEOS: r.IntN(2) == 0, Shift: r.IntN(2) == 0, Keep: r.IntN(4)}
				if r.IntN(4) == 0 {
					x.leave = 1 + r.IntN(9)
				}
				want, _, _ := x.told(t, m, nil, nil)
				for _, spec := range []Speculation{
					{Always: true, NoLookup: true, Drafter: d}, {Always: true, Max: 3, Drafter: d},
					{Drafter: d}, {Drafter: d, NoLookup: true},
				} {
					got, _, g := x.told(t, m, &spec, nil)
					if got != want {
						t.Fatalf("%s, %s, round %d, %v: it changed: %s", name, sampler, round, spec, firstDifference(want, got))
					}
					if spec.NoLookup && spec.Always {
						n, a := g.Drafted()
						drafted, accepted = drafted+n, accepted+a
					}
				}
			}
		}
		t.Logf("%s: %d of %d guesses came true, agreement %.2f", name, accepted, drafted, d.Agreement())
		// Where a context was shifted the two differ: the draft model reads what is left anew.
		if share := float64(accepted) / float64(drafted); drafted < 500 || (name == "alike") != (share > 0.15) {
			t.Errorf("%s: %d of %d guesses came true", name, accepted, drafted)
		}
	}
}

// Several generations are guessed together, each with its own text, and none is mixed up when there
// are more than sessions.
func TestDraftTogether(t *testing.T) {
	m := mini().open(t, BatchSize(64))
	d := mini().drafter(t, m, DrafterOptions{Sequences: 3}, BatchSize(64))
	ctx := context.Background()
	var gs []*Generation
	want := make([]string, 5)
	got := make([]strings.Builder, 5)
	for i := range want {
		prompt := []int32{1, 2, 3, int32(i), 5, 6, 7, 8}
		x := specCase{params: sampling.Params{Temp: 1, Seed: uint64(i)}, context: 90, prompt: prompt}
		x.opt = GenerateOptions{MaxTokens: 40, IgnoreEOS: true}
		_, ids, _ := x.told(t, m, nil, nil)
		want[i] = fmt.Sprint(ids)
		s := m.session(t, ContextSize(90))
		if err := s.Eval(ctx, prompt); err != nil {
			t.Fatal(err)
		}
		chain, err := sampling.New(x.params, nil)
		if err != nil {
			t.Fatal(err)
		}
		x.opt.Sampler, x.opt.Speculate = chain, &Speculation{Drafter: d, NoLookup: true, Always: true, Max: 5}
		g, err := s.NewGeneration(x.opt)
		if err != nil {
			t.Fatal(err)
		}
		gs = append(gs, g)
	}
	texts := make([][]int32, len(gs))
	for range 60 {
		var steps []Step
		d.Draft(ctx, slices.DeleteFunc(slices.Clone(gs), func(g *Generation) bool { return !g.pending }))
		for _, g := range gs {
			if ids := g.Prepare(); ids != nil {
				draft, _ := g.Guess()
				steps = append(steps, Step{Session: g.s, IDs: ids, Draft: draft})
			}
		}
		if err := m.Run(ctx, steps); err != nil {
			t.Fatal(err)
		}
		for i, g := range gs {
			if g.pending {
				g.Evaluated(nil)
			}
			for {
				tok, ok := g.Choose()
				if ok && tok.ID >= 0 {
					texts[i] = append(texts[i], tok.ID)
				}
				if g.Why() != NotEnded || !g.Advance() {
					break
				}
			}
		}
	}
	for i := range want {
		fmt.Fprint(&got[i], texts[i])
		if got[i].String() != want[i] {
			t.Errorf("%d:\n%s\n%s", i, got[i].String(), want[i])
		}
	}
	if a := d.Agreement(); a < 0.9 {
		t.Error("a model does not agree with itself:", a)
	}
	if !d.Shrink() || m.pages.lent != 0 || d.Shrink() {
		t.Error(m.pages.lent, "bytes after shrinking")
	}
}

// A session of the draft model serves a generation with more context than the one that it was made for.
func TestDraftAnyContext(t *testing.T) {
	m := mini().open(t)
	d := mini().drafter(t, m, DrafterOptions{})
	spec := &Speculation{Drafter: d, Always: true, NoLookup: true}
	for _, context := range []int{20, 120} {
		x := specCase{context: context, prompt: []int32{1, 2, 3}, opt: GenerateOptions{MaxTokens: context - 10, IgnoreEOS: true}}
		want, _, _ := x.told(t, m, nil, nil)
		got, _, g := x.told(t, m, spec, nil)
		if got != want {
			t.Errorf("context %d: it changed: %s", context, firstDifference(want, got))
		}
		if _, accepted := g.Drafted(); accepted < (context-10)/2 {
			t.Errorf("context %d: %d guesses came true", context, accepted)
		}
	}
}

// The account of a host is opened by a model that answers, which asks how much memory there is: a
// draft model that comes first leaves it to that.
func TestDraftOnHost(t *testing.T) {
	h := NewHost(1)
	budget := MemoryBudget(1 << 30)
	m, draft := mini().open(t, OnHost(h), budget), mini().open(t, OnHost(h), budget)
	d, err := NewDrafter(m, draft, DrafterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for what, x := range map[string]*Model{"draft model": draft, "model": m} {
		s, err := x.NewSession(NoReserve())
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		mem, err := x.Memory()
		if err != nil || mem.CacheLimit < 1<<29 || mem.CacheLimit >= 1<<30 {
			t.Errorf("%s: %+v, %v: want what the budget leaves", what, mem, err)
		}
	}
}

// A draft model with another vocabulary is refused, and what is other is said.
func TestDraftModelRefused(t *testing.T) {
	m := mini().open(t)
	tokens := slices.Clone(mini().Meta["tokenizer.ggml.tokens"].([]string))
	tokens[65], tokens[66] = tokens[66], tokens[65]
	for what, x := range map[string]*Model{
		`token 65 is "`:    mini().set("tokenizer.ggml.tokens", tokens).open(t),
		"draft for itself": m,
	} {
		if _, err := NewDrafter(m, x, DrafterOptions{}); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	s := m.session(t)
	_, err := NewDrafter(m, mini().open(t), DrafterOptions{})
	if err == nil || !strings.Contains(err.Error(), "before sessions") {
		t.Error(err)
	}
	s.Close()
}

// The draft model takes its memory from the account of the model, and gives way when that is short.
func TestDraftAccount(t *testing.T) {
	plain := mini().open(t, MemoryBudget(1<<40))
	mem, err := plain.Memory()
	if err != nil {
		t.Fatal(err)
	}
	pages := func(n int64) int64 { return n * plain.pages.pageBytes() }
	m := mini().open(t, MemoryBudget(2*(mem.Weights+mem.Activations)+pages(5)))
	d := mini().drafter(t, m, DrafterOptions{})
	got, err := m.Memory()
	if err != nil || got.CacheLimit != pages(5) || got.Weights != 2*mem.Weights+mem.Activations {
		t.Error(got, err)
	}
	x := specCase{context: 128, prompt: []int32{1, 2, 3}, opt: GenerateOptions{MaxTokens: 110, IgnoreEOS: true}}
	want, _, _ := x.told(t, plain, nil, nil)
	s, _, g := x.told(t, m, &Speculation{Drafter: d, Always: true, NoLookup: true}, nil)
	if s != want || g.Why() != EndedLimit {
		t.Error(g.Why(), g.Err(), firstDifference(want, s))
	}
	if n, a := g.Drafted(); a == 0 || n == 0 {
		t.Error(n, a)
	}
}
