package flags

import (
	"os"
	"path/filepath"
	"testing"
)

func TestParseNamed(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"sql.gguf", "a=b.gguf", "x"} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir("checkpoint-10", 0o700); err != nil {
		t.Fatal(err)
	}
	full := filepath.Join(dir, "sql.gguf")
	for text, want := range map[string]Adapter{
		"sql.gguf":               {"sql", "sql.gguf", 1},
		full + ":0.5":            {"sql", full, 0.5},
		"writer=sql.gguf":        {"writer", "sql.gguf", 1},
		"writer=" + full + ":-2": {"writer", full, -2},
		"a/b=sql.gguf":           {"b=sql", "a/b=sql.gguf", 1}, // in a folder
		"a=b.gguf":               {"a=b", "a=b.gguf", 1},
		"a=b.gguf:3":             {"a=b", "a=b.gguf", 3},
		"n=a=b.gguf":             {"n", "a=b.gguf", 1},
		"checkpoint-10/":         {"checkpoint-10", "checkpoint-10/", 1},
		"c=checkpoint-10:2":      {"c", "checkpoint-10", 2},
		"x":                      {"x", "x", 1},
		"=x":                     {},
		"n=":                     {},
		"n=none":                 {"n", "none", 1}, // what is wrong shows when it is opened
		"n=x:y":                  {},
		"":                       {},
	} {
		got, err := parseNamed(text)
		if err != nil {
			got = Adapter{}
		}
		if got != want {
			t.Errorf("%q: %+v, %v, want %+v", text, got, err, want)
		}
	}
}
