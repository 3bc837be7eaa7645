package mpt

import (
	"context"
	"slices"
	"strings"
	"testing"

	"mptgo/gguf"
)

// TestStops generates up to a text that the model is known to write, in one token or
// over several, and compares with the same without it.
func TestStops(t *testing.T) {
	m := mini().open(t)
	text := func(stop ...string) string {
		s := evaluated(t, m, 72)
		var b strings.Builder
		for tok, err := range s.Generate(context.Background(), GenerateOptions{MaxTokens: 30, IgnoreEOS: true, Special: true, Stop: stop}) {
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString(tok.Text)
		}
		return b.String()
	}
	whole := text()
	if len(whole) < 20 {
		t.Fatalf("only %q", whole)
	}
	for _, at := range []int{1, 5, 12} {
		for _, n := range []int{1, 3, 6} {
			stop := whole[at : at+n]
			want := whole[:strings.Index(whole, stop)]
			if got := text(stop, "never written"); got != want && strings.ToValidUTF8(stop, "") == stop {
				t.Errorf("stop at %q: %q, want %q of %q", stop, got, want, whole)
			}
		}
	}
	// A beginning of a stop that does not go on is not lost.
	if got := text(whole[len(whole)-3:]+"never", whole[10:12]+"never"); got != whole {
		t.Errorf("%q, want %q", got, whole)
	}
}

// A stop token ends a generation before it, unless such ends are ignored.
func TestStopTokens(t *testing.T) {
	m := mini().open(t)
	ids := func(opt GenerateOptions) (out []int32) {
		opt.MaxTokens = 12
		for tok, err := range evaluated(t, m, 72).Generate(context.Background(), opt) {
			if err != nil {
				t.Fatal(err)
			}
			if tok.ID >= 0 {
				out = append(out, tok.ID)
			}
		}
		return out
	}
	whole := ids(GenerateOptions{IgnoreEOS: true})
	stop := whole[5]
	if got, want := ids(GenerateOptions{StopTokens: []int32{300, stop}}), whole[:slices.Index(whole, stop)]; !slices.Equal(got, want) {
		t.Errorf("%v, want %v of %v", got, want, whole)
	}
	if got := ids(GenerateOptions{StopTokens: []int32{stop}, IgnoreEOS: true}); !slices.Equal(got, whole) {
		t.Errorf("%v, want %v", got, whole)
	}
}

// TestOptionsRefused has choices out of range.
func TestOptionsRefused(t *testing.T) {
	b := mini().File(t)
	for want, o := range map[string]Option{
		"-1 threads": Threads(-1), "2000 threads": Threads(2000), "a batch of 0": BatchSize(0), "a batch of 100000": BatchSize(100000),
		"cache type I8": CacheType(gguf.I8), "nonsense": Tier("nonsense"),
	} {
		if m, err := loaded(b, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
			if err == nil {
				m.Close()
			}
		}
	}
	m := mini().open(t)
	for _, n := range []int{-1, maxContext + 1} {
		if _, err := m.NewSession(ContextSize(n)); err == nil {
			t.Errorf("a context of %d", n)
		}
	}
	s := evaluated(t, m, 1, 2, 3)
	for _, f := range []func() error{
		func() error { return s.Truncate(-1) }, func() error { return s.Truncate(4) },
		func() error { return s.Drop(-1, 2) }, func() error { return s.Drop(2, 1) }, func() error { return s.Drop(0, 4) }, m.Close,
	} {
		if f() == nil {
			t.Error("a call that makes no sense passes")
		}
	}
	if err := s.Drop(1, 3); err != nil || s.Len() != 1 {
		t.Errorf("Drop of the end: %v, %d", err, s.Len())
	}
	s.Close()
	s.Close()
	for _, f := range []func() error{
		s.Reset, func() error { return s.Drop(0, 0) }, func() error { _, err := s.Fork(); return err },
		func() error { return s.Eval(context.Background(), []int32{1}) }, func() error { return s.Save(&strings.Builder{}) },
		func() error { return s.Restore(strings.NewReader("")) },
	} {
		if f() == nil {
			t.Error("a closed session answers")
		}
	}
}
