package cli

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"mptgo/internal/check"
	"mptgo/mpt"
	"mptgo/mpt/builtin"
	"mptgo/mpt/convert"
)

// What models of the three kinds of positions make of a context that is longer than the
// trained one, and of endless generation.
func TestLongContext(t *testing.T) {
	for _, c := range []struct {
		name, model string
		args        []string
		status      int
		want        string // on standard error
	}{
		{"rotary", "lf-rope-hf", []string{"-c", "5000", "-n", "1"}, 0, "beyond that its rotary positions are new to it"},
		{"rotary, endless", "lf-rope-hf", []string{"-c", "16", "-n", "-1", "--ignore-eos"}, 0,
			"mpt: the text ends here: the context of 16 tokens is full: make room with --ctx-size; this model's keys depend on their positions, which cannot be shifted\n"},
		{"learned", "lf-learned-pos-bias-qkln", []string{"-c", "5000", "-n", "1"}, 1,
			"mpt: a context of 5000 tokens: this model has learned positions for "},
		{"learned, endless", "lf-learned-pos-bias-qkln", []string{"-c", "16", "-n", "-1", "--ignore-eos"}, 0, "which cannot be shifted\n"},
		{"rotary, shifted", "lf-rope-hf", []string{"--context-shift", "-n", "5"}, 1, "mpt: run: --context-shift: this model's keys depend on their positions"},
		{"learned, shifted", "lf-learned-pos-bias-qkln", []string{"--context-shift", "-n", "-1"}, 1, "mpt: run: --context-shift: "},
		{"as trained", "lf-rope-hf", []string{"-n", "1"}, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "model.gguf")
			dir := check.Shared(t, "testdata", "cases", c.model)
			if _, err := convert.Convert(context.Background(), dir, file, convert.Options{Type: "F32"}); err != nil {
				t.Fatal(err)
			}
			var out, notes bytes.Buffer
			root := Mpt()
			root.SetOut(&out)
			root.SetErr(&notes)
			status := Main(root, append([]string{"run", "-m", file, "-p", "Hello", "--temp", "0"}, c.args...))
			if status != c.status || !strings.Contains(notes.String(), c.want) || strings.Count(notes.String(), "\n") > 1 || c.want == "" && notes.Len() > 0 {
				t.Errorf("status %d, notes %q, want %d and %q", status, &notes, c.status, c.want)
			}
		})
	}
}

// TestContextThatFits: without -c the context is as long as there is memory for, and a line
// says so; with it there is an error with the numbers and the flags.
func TestContextThatFits(t *testing.T) {
	probe, err := builtin.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer probe.Close()
	memory, err := probe.Memory()
	if err != nil {
		t.Fatal(err)
	}
	fixed := memory.Weights + memory.Activations
	for _, c := range []struct {
		tokens, ctx int // that there is memory for, and -c
		want        int // 0: an error
		note        string
	}{
		{probe.Config().Context, 0, probe.Config().Context, ""},
		{96, 0, 96, "a context of 96 tokens, of the " + fmt.Sprint(probe.Config().Context) + " that the model was trained for: that is what fits into the "},
		{96, 96, 96, ""},
		{96, 97, 0, "96 tokens would fit (-c 96); --ignore-memory starts nevertheless"},
		{0, 0, 0, "not even a short context fits: use a smaller type of weights, or a smaller batch; --ignore-memory starts nevertheless"},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			m, err := builtin.Open(mpt.MemoryBudget(fixed + probe.CacheBytes(c.tokens)))
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			var notes bytes.Buffer
			cmd := &cobra.Command{}
			cmd.SetErr(&notes)
			s, err := newSession(cmd, m, c.ctx)
			if err != nil {
				note(&notes, "%v", memoryFlags(err))
			} else {
				defer s.Close()
			}
			if (s == nil) != (c.want == 0) || s != nil && s.ContextSize() != c.want || !strings.Contains(notes.String(), c.note) || c.note == "" && notes.Len() > 0 {
				t.Errorf("%v, notes %q", err, &notes)
			}
		})
	}
}
