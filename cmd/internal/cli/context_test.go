package cli

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"mptgo/internal/check"
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
