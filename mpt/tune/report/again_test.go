package report

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestAgain evaluates a step that was evaluated before a run was killed: it is there once.
func TestAgain(t *testing.T) {
	dir := t.TempDir()
	for _, step := range []int{-1, 3} {
		l, err := Open(dir, step, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, prompt := range []string{"a", "b"} {
			if err := l.Sample(Sample{Step: 3, Prompt: prompt, Text: "text"}); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Eval(Eval{Step: 3, Epoch: 1, Loss: 2}); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]int{linesFile: 3, tableFile: 2} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Count(b, []byte("\n")); got != want {
			t.Errorf("%s has %d lines, want %d:\n%s", name, got, want, b)
		}
	}
}
