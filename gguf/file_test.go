package gguf

import (
	"bytes"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"syscall"
	"testing"
	"unsafe"
)

// save writes a file into a folder of the test and returns its path.
func save(t testing.TB, dir, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// open opens a file until the end of the test.
func open(t testing.TB, path string) *File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func TestOpen(t *testing.T) {
	path := save(t, t.TempDir(), "tiny.gguf", []byte(tiny))
	f := open(t, path)
	if f.Name() != path || f.Size() != int64(len(tiny)) {
		t.Errorf("name %q, size %d", f.Name(), f.Size())
	}
	for i, w := range f.Tensors() {
		if !bytes.Equal(w.Data(), tinyData[i]) {
			t.Errorf("%s: %q, want %q", w.Name, w.Data(), tinyData[i])
		}
		if at := uintptr(unsafe.Pointer(unsafe.SliceData(w.Data()))); at%8 != 0 {
			t.Errorf("%s lies at %#x", w.Name, at)
		}
	}
	for range 2 {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if w := f.Tensors()[0]; w.Data() != nil || w.Size() != 36 {
		t.Errorf("after Close, %d bytes of %d", len(w.Data()), w.Size())
	}
	if !reflect.DeepEqual(f.Meta(), tinyMeta) {
		t.Errorf("after Close, the metadata is %v", f.Meta())
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "none.gguf")); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrFormat) {
		t.Errorf("no file: %v", err)
	}
	if _, err := Open(dir); err == nil {
		t.Error("opened a folder")
	}
	if _, err := Open(save(t, dir, "empty.gguf", nil)); !errors.Is(err, ErrFormat) {
		t.Errorf("empty file: %v", err)
	}
	if _, err := Open(save(t, dir, "cut.gguf", []byte(tiny[:200]))); !errors.Is(err, ErrFormat) {
		t.Errorf("cut file: %v", err)
	}
}

// TestOpenLarge opens a file larger than the memory of most machines, which
// works only if nothing but the header is read.
func TestOpenLarge(t *testing.T) {
	if math.MaxInt == math.MaxInt32 {
		t.Skip("a machine of 32 bits has no room for it")
	}
	size := int64(256 << 30)
	header := head(3, 1, 0).tensor("w", I8, 0, uint64(size)).data(32, 0)
	path := save(t, t.TempDir(), "large.gguf", header)
	if runtime.GOOS != "linux" {
		t.Skip("needs a sparse file")
	}
	if err := os.Truncate(path, int64(len(header))+size); err != nil {
		t.Skip("no sparse files here:", err)
	}
	f, err := Open(path)
	if errors.Is(err, syscall.ENOMEM) {
		t.Skip("the address space is limited here:", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if w := f.Tensors()[0]; int64(w.Size()) != size || w.Data()[size-1] != 0 {
		t.Errorf("size %d", w.Size())
	}
}
