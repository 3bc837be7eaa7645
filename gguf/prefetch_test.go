package gguf

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestPrefetch: it ends, on whole files, on cancelled contexts, and on files that
// became shorter, and changes nothing.
func TestPrefetch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	data := make([]byte, 4<<20)
	for i := range data {
		data[i] = byte(i * 7)
	}
	w, err := Create(path, nil, []TensorInfo{{Name: "t", Type: F32, Shape: []int{1 << 20}}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = w.WriteAt(0, data, 0); err == nil {
		err = w.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	f.Prefetch(cancelled)
	f.Prefetch(t.Context())
	if string(f.Tensors()[0].Data()) != string(data) {
		t.Error("the data of the tensor changed")
	}
	if runtime.GOOS == "windows" {
		return // a file that is mapped cannot be shortened
	}
	if err := os.Truncate(path, 1<<20); err != nil {
		t.Fatal(err)
	}
	f.Prefetch(t.Context())
}
