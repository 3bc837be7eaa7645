package flags

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/console"
	"mptgo/mpt"
	"mptgo/mpt/builtin"
)

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
			s, err := NewSession(cmd, m, c.ctx)
			if err != nil {
				console.Note(&notes, "%v", ExplainMemory(err))
			} else {
				defer s.Close()
			}
			if (s == nil) != (c.want == 0) || s != nil && s.ContextSize() != c.want || !strings.Contains(notes.String(), c.note) || c.note == "" && notes.Len() > 0 {
				t.Errorf("%v, notes %q", err, &notes)
			}
		})
	}
}
