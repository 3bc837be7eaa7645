package convert

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

// What a model is called, from the path of its folder, config.json and README.md.
func TestTitle(t *testing.T) {
	for _, c := range []struct {
		path, loaded, readme string
		name                 string
		bases                []string
	}{
		{path: "/models/mpt-7b-instruct", name: "mpt-7b-instruct"},
		{path: "/models/My Model é", name: "My Model é"},
		{path: "/hub/models--mosaicml--mpt-7b-instruct/snapshots/" + commit, name: "mpt-7b-instruct"},
		{path: "/hub/models--mosaicml--mpt-7b-instruct/snapshots/" + commit, loaded: "mosaicml/mpt-7b", name: "mpt-7b-instruct", bases: []string{"mosaicml/mpt-7b"}},
		{path: "/hub/models--gpt2/snapshots/main", name: "gpt2"},
		{path: "/hub/models--a--b--c/snapshots/" + commit + "/sub", name: "b--c"},
		{path: "/models/mpt-7b-instruct/main", name: "mpt-7b-instruct"},
		{path: "/models/mpt-7b-instruct/checkpoints/checkpoint-500", name: "mpt-7b-instruct"},
		{path: "/models/mpt-7b-instruct/run3/final", name: "mpt-7b-instruct"},
		{path: "/models/sea_lion_7b/hf", name: "sea_lion_7b"},
		{path: "/home/me/pirate/checkpoint-500", name: "pirate-checkpoint-500"},
		{path: "/home/me/pirate/ep0-ba2000-rank0", loaded: "mosaicml/mpt-7b-instruct", name: "mpt-7b-instruct"},
		{path: "/home/me/out/checkpoint-500", name: "checkpoint-500"},
		{path: "/home/me/out/final", name: "final"},
		{path: "/home/me/pirate/out/final", name: "pirate-final"},
		{path: "/home/me/pirate/final", loaded: "mosaicml/mpt-7b-instruct", name: "mpt-7b-instruct"},
		{path: "/home/me/pirate/final_model", name: "pirate-final_model"},
		{path: "/home/me/pirate/checkpoint-best", name: "pirate-checkpoint-best"},
		{path: "/home/me/pirate/" + commit, name: "pirate"},
		{path: "/Users/me/Best-Model.2", name: "Best-Model.2"},
		{path: "/data/final", name: "final"},
		{path: "/data/1/2/3/out/final", name: "final"},
		{path: "/home/me/pirate/saved_model", readme: "---\nmodel_name: Pirate 7B\n---\n", name: "Pirate 7B"},
		{path: "/home/me/final-pirate", loaded: "final_model", name: "final-pirate"},
		{path: "/home/me/v2", loaded: "mosaicml/mpt-7b-chat", name: "mpt-7b-chat"},
		{path: "/home/me/model", name: "model"},
		{path: "/home/me/" + commit, name: commit},
		{path: "/home/me/model", loaded: "mosaicml/mpt-7b-8k-instruct", name: "mpt-7b-8k-instruct"},
		{path: "/home/me/model", loaded: `C:\Users\me\mpt-7b-chat`, name: "mpt-7b-chat"},
		{path: "/home/me/model", loaded: "./mpt-30b-instruct/checkpoint-20/", name: "mpt-30b-instruct"},
		{path: "/home/me/model", loaded: "/root/.cache/huggingface/hub/models--mosaicml--mpt-7b/snapshots/" + commit, name: "mpt-7b"},
		{path: "/home/me/model", loaded: "out", name: "model"},
		{path: "/home/me/model", readme: "---\nmodel_name: a\x1b[31mb\n---\n", name: "model"},
		{path: "/home/me/pirate", loaded: "mosaicml/mpt-7b-instruct", name: "pirate", bases: []string{"mosaicml/mpt-7b-instruct"}},
		{path: "/home/me/pirate", loaded: "pirate", name: "pirate"},
		{path: "/home/me/pirate", readme: "---\nbase_model: \"mosaicml/mpt-7b-instruct\" \ntags:\n- x\n---\n# Pirate", name: "pirate", bases: []string{"mosaicml/mpt-7b-instruct"}},
		{path: "/home/me/model", readme: "---\nlicense: apache-2.0\nbase_model:\n- mosaicml/mpt-7b-instruct\n---\n", name: "mpt-7b-instruct"},
		{path: "/home/me/model", readme: "---\r\nmodel_name: 'Pirate 7B' \r\nbase_model: [mosaicml/mpt-7b, a/b]\r\n---\r\n", name: "Pirate 7B", bases: []string{"mosaicml/mpt-7b", "a/b"}},
		{path: "/home/me/model", readme: "---\nmodel-index:\n- name: pirate # arr\n  results: []\n- name: other\n---\n", name: "pirate"},
		{path: "/home/me/model", readme: "# MPT-7B-Instruct-8k\n\n# More\n", name: "MPT-7B-Instruct-8k"},
		{path: "/home/me/model", readme: "# Model Card for Model ID\n", name: "model"},
		{path: "/home/me/model", readme: "---\nbase_model: x/y\n", name: "model"}, // it never ends: text
		{path: "/home/me/model", loaded: strings.Repeat("x", 300), name: "model"},
	} {
		f := files{file: func(name string) ([]byte, error) {
			switch {
			case name == "config.json":
				return []byte(`{"_name_or_path": "` + strings.ReplaceAll(c.loaded, `\`, `\\`) + `"}`), nil
			case name == "README.md" && c.readme != "":
				return []byte(c.readme), nil
			case name == "README.md":
				return nil, fs.ErrNotExist
			}
			return nil, errors.New("not asked for")
		}, dir: c.path}
		got, err := f.title()
		if err != nil || got.name != c.name || !slices.Equal(got.bases, c.bases) {
			t.Errorf("%s, loaded from %q, %q: %q of %q, %v, want %q of %q", c.path, c.loaded, c.readme, got.name, got.bases, err, c.name, c.bases)
		}
	}
}

// The file has the name, and the bases under the keys of llama.cpp's converter.
func TestNameInFile(t *testing.T) {
	from := modified(t, "hf-tiny", nil)
	put(t, from, "README.md", []byte("---\nbase_model: mosaicml/mpt-7b-instruct\n---\n"))
	top := t.TempDir()
	cache := filepath.Join(top, "models--me--pirate", "snapshots")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(from, filepath.Join(cache, commit)); err != nil {
		t.Skip(err)
	}
	log := ""
	f := mustConvert(t, filepath.Join(cache, commit), Options{Type: "F16", Logf: func(format string, args ...any) { log += format }})
	if name := mustGet[string](t, f, "general.name"); name != "pirate" || !strings.Contains(log, "is called") {
		t.Errorf("called %q, said %q", name, log)
	}
	if n, base := mustGet[uint32](t, f, "general.base_model.count"), mustGet[string](t, f, "general.base_model.0.name"); n != 1 || base != "mosaicml/mpt-7b-instruct" {
		t.Errorf("%d bases, %q", n, base)
	}

	// A link into the cache has a name of its own; what it stands for is known.
	if err := os.Symlink(filepath.Join(cache, commit), filepath.Join(top, "mine")); err != nil {
		t.Fatal(err)
	}
	real, err := filepath.EvalSymlinks(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(real, filepath.Join(cache, "copy")); err != nil {
		t.Skip(err)
	}
	if err := errors.Join(os.Remove(filepath.Join(cache, commit)), os.Rename(filepath.Join(cache, "copy"), filepath.Join(cache, commit))); err != nil {
		t.Fatal(err)
	}
	f = mustConvert(t, filepath.Join(top, "mine"), Options{Type: "F16"})
	if name, base := mustGet[string](t, f, "general.name"), mustGet[string](t, f, "general.base_model.0.name"); name != "mine" || base != "pirate" {
		t.Errorf("called %q of %q", name, base)
	}
}

func FuzzCard(f *testing.F) {
	f.Add("---\nbase_model:\n- a/b\nmodel-index:\n- name: c\n---\n# MPT-7B\n", "models--a--b/snapshots/x")
	f.Add("---\nbase_model: [a, 'b' ]\nmodel_name: \"\n---", `C:\a\..\b`)
	f.Fuzz(func(t *testing.T, readme, path string) {
		read := files{file: func(string) ([]byte, error) { return []byte(readme), nil }, dir: "/" + strings.ReplaceAll(path, "\x00", "")}
		if got, err := read.title(); err == nil && got.name == "" {
			t.Errorf("no name for %q", path)
		}
		_ = repository(path)
	})
}
