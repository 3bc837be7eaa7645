package eval

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"mptgo/internal/check"
)

// vectorFolders returns where vectors are: the reference data, and what the environment names.
func vectorFolders(t testing.TB) []string {
	list := []string{check.Shared(t, "testdata", "eval")}
	if dir := os.Getenv("MPT_EVAL_VECTORS"); dir != "" {
		list = append(list, dir)
	}
	return list
}

func TestNormalizeVectors(t *testing.T) {
	for _, dir := range vectorFolders(t) {
		f, err := os.Open(filepath.Join(dir, "normalize.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		n := 0
		for s := bufio.NewScanner(f); s.Scan(); n++ {
			var v struct{ Text, Normalized string }
			if err := json.Unmarshal(s.Bytes(), &v); err != nil {
				t.Fatal(err)
			}
			if got := normalizeAnswer(v.Text); got != v.Normalized {
				t.Errorf("%q: %q, want %q", v.Text, got, v.Normalized)
			}
		}
		if n == 0 {
			t.Errorf("%s: no vectors", dir)
		}
	}
}

// What Python makes of the same texts.
func TestPythonTexts(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"ΟΔΟΣ", "οδος"}, {"ΟΔΟΣ ΣΑΣ", "οδος σας"}, {"Σ", "σ"}, {"ΑΣ.", "ας."}, {"ΑΣ'Α", "ασ'α"}, {"İI", "i̇i"}, {"ẞ", "ß"},
	} {
		if got := lower(c.in); got != c.want {
			t.Errorf("lower(%q): %q, want %q", c.in, got, c.want)
		}
	}
	if got := strip("\x1c a\u3000\x1f\u0085"); got != "a" {
		t.Errorf("strip: %q", got)
	}
	for s, want := range map[string]int{"": 1, "a b": 2, " a  b\n": 4, "a\x1cb": 2, "a\u200bb": 1} {
		if got := countWords(s); got != want {
			t.Errorf("words of %q: %d, want %d", s, got, want)
		}
	}
}
