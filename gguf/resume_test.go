package gguf

import (
	"os"
	"path/filepath"
	"testing"
)

// TestResume writes a file in two attempts, and begins anew when the header differs.
func TestResume(t *testing.T) {
	dir := t.TempDir()
	path, part := filepath.Join(dir, "a.gguf"), filepath.Join(dir, ".a.gguf.part")
	tensors := []TensorInfo{{Name: "x", Type: F32, Shape: []int{8}}, {Name: "y", Type: F32, Shape: []int{8}}}
	open := func(name string) (*Writer, bool) {
		f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			t.Fatal(err)
		}
		w, resumed, err := Resume(path, f, []KV{{Key: "general.architecture", Value: name}}, tensors, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return w, resumed
	}
	w, resumed := open("other")
	if resumed {
		t.Error("an empty file is resumed")
	}
	w.Keep()
	if w, resumed = open("mpt"); resumed {
		t.Error("a file with another header is resumed")
	}
	one := []byte("0123456789abcdef0123456789abcdef")
	if _, err := w.WriteAt(0, one, 0); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := w.Keep(); err != nil {
		t.Fatal(err)
	}
	if w, resumed = open("mpt"); !resumed {
		t.Fatal("the file is not resumed")
	}
	if err := w.Commit(); err == nil {
		t.Error("an unfinished file is committed")
	}
	w.Had(0, 0, 32)
	if _, err := w.WriteAt(1, one, 0); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := w.Keep(); err != nil {
		t.Error(err)
	}
	want := filepath.Join(dir, "b.gguf")
	v, err := Create(want, []KV{{Key: "general.architecture", Value: "mpt"}}, tensors, Options{})
	if err != nil {
		t.Fatal(err)
	}
	v.WriteAt(0, one, 0)
	v.WriteAt(1, one, 0)
	if err := v.Commit(); err != nil {
		t.Fatal(err)
	}
	a, _ := os.ReadFile(path)
	b, _ := os.ReadFile(want)
	if string(a) != string(b) {
		t.Error("the file differs from one that was written at once")
	}
}
