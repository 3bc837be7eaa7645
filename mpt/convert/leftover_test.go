package convert

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// What a conversion that was killed has left goes away with the next one, but for
// one that may still be going on.
func TestLeftovers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("folders cannot be locked")
	}
	dir := t.TempDir()
	dst := filepath.Join(dir, "out.gguf")
	files := map[string]bool{ // whether the file stays
		".out.gguf.0123abcd.tmp":               false,
		".out.gguf.ffffffff.tmp":               false,
		"..out.gguf.01234567.tmp.0123abcd.tmp": false,
		"..out.gguf.01234567.tmp":              true,
		".out.gguf.01234567.tmp.0123abcd.tmp":  true,
		".out.gguf.0123abc.tmp":                true,
		".out.gguf.0123abcde.tmp":              true,
		".out.gguf.0123ABCD.tmp":               true,
		".outXgguf.0123abcd.tmp":               true,
		".out.gguf..0123abcd.tmp":              true,
		"out.gguf.0123abcd.tmp":                true,
		".my.out.gguf.01234567":                true,
	}
	for name := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half a model"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, ".out.gguf.00000000.tmp"), 0o777); err != nil {
		t.Fatal(err)
	}
	src := caseDir("hf-tiny")
	var notes []string
	opt := Options{Type: "F16", Force: true, Logf: func(format string, args ...any) { notes = append(notes, format) }}

	release := claim(filepath.Join(dir, "another.gguf"), opt.Logf)
	if _, err := Convert(t.Context(), src, dst, opt); err != nil {
		t.Fatal(err)
	}
	for name := range files {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("while another conversion runs: %v", err)
		}
	}
	release()
	if _, err := Convert(t.Context(), src, dst, opt); err != nil {
		t.Fatal(err)
	}
	for name, stays := range files {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != stays {
			t.Errorf("%s: stays: %v, want %v", name, err == nil, stays)
		}
	}
	if len(notes) != 3 || !strings.Contains(notes[0], "killed") {
		t.Errorf("notes %q, want one for each of two files", notes)
	}
}

// What is aside stays while it is needed, whoever converts to the same file, and goes then.
func TestAside(t *testing.T) {
	dir := t.TempDir()
	dst := filepath.Join(dir, "out.gguf")
	src := caseDir("hf-tiny")
	path, remove, err := Aside(t.Context(), src, dst, Options{Type: "F32"})
	if err != nil {
		t.Fatal(err)
	}
	if !isLeftover(filepath.Base(path), "out.gguf") {
		t.Errorf("%s would stay if the program were killed", path)
	}
	if _, err := Convert(t.Context(), src, dst, Options{Type: "F16"}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil && runtime.GOOS != "windows" {
		t.Error(err)
	}
	remove()
	if _, err := os.Stat(path); err == nil {
		t.Errorf("%s is still there", path)
	}
	if _, _, err := Aside(t.Context(), filepath.Join(dir, "nowhere"), dst, Options{Type: "F32"}); err == nil {
		t.Error("a source that does not exist is converted")
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("%d files are left", len(list))
	}
}

// Where a link leads elsewhere, what is aside lies beside the file, where it is looked for later.
func TestAsideOfLink(t *testing.T) {
	real, links := t.TempDir(), t.TempDir()
	dst := filepath.Join(links, "out.gguf")
	if err := os.Symlink(filepath.Join(real, "model.gguf"), dst); err != nil {
		t.Skip(err)
	}
	path, remove, err := Aside(t.Context(), caseDir("hf-tiny"), dst, Options{Type: "F32"})
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	if filepath.Dir(path) != real || !isLeftover(filepath.Base(path), "model.gguf") {
		t.Errorf("%s is not beside %s", path, filepath.Join(real, "model.gguf"))
	}
}
