package gguf

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestLinkTakesNothing: a file or a link that has appeared after the last check keeps
// its name.
func TestLinkTakesNothing(t *testing.T) {
	dir := t.TempDir()
	temp := filepath.Join(dir, "x.tmp")
	if err := os.WriteFile(temp, []byte("new"), 0o666); err != nil {
		t.Fatal(err)
	}
	free := filepath.Join(dir, "free")
	if ok, err := link(temp, free); err != nil {
		t.Fatal(err)
	} else if !ok {
		t.Skip("the file system has no second names")
	}
	file, dangling, folder := filepath.Join(dir, "file"), filepath.Join(dir, "dangling"), filepath.Join(dir, "folder")
	if err := errors.Join(os.WriteFile(file, []byte("old"), 0o666), os.Mkdir(folder, 0o777)); err != nil {
		t.Fatal(err)
	}
	taken := []string{file, folder}
	if os.Symlink(filepath.Join(dir, "nowhere"), dangling) == nil {
		taken = append(taken, dangling)
	}
	for _, path := range taken {
		if ok, err := link(temp, path); ok || !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v, %v", path, ok, err)
		}
	}
	if old, _ := os.ReadFile(file); string(old) != "old" {
		t.Errorf("the file holds %q", old)
	}
}

// A writer that finds its name taken at the last moment can be asked again.
func TestCommitAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	w, err := Create(path, nil, []TensorInfo{{Name: "a", Type: F32, Shape: []int{2}}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteAt(0, make([]byte, 8), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("another's"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("a name that is taken: %v", err)
	}
	if s, _ := os.ReadFile(path); string(s) != "another's" {
		t.Errorf("the file became %q", s)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
}
