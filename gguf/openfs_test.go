package gguf

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"testing"
	"testing/fstest"
)

func TestOpenFS(t *testing.T) {
	meta := []KV{{Key: "general.architecture", Value: "mpt"}}
	b, err := Encode(meta, []TensorInfo{{Name: "x", Type: F32, Shape: []int{2}}}, [][]byte{make([]byte, 8)})
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{"a/m.gguf": {Data: b}, "short.gguf": {Data: b[:len(b)-32]}, "empty": {}}
	for name, want := range map[string]error{"a/m.gguf": nil, "short.gguf": ErrFormat, "empty": ErrFormat, "nowhere": fs.ErrNotExist} {
		f, err := OpenFS(fsys, name)
		if !errors.Is(err, want) || want == nil && (len(f.Tensors()) != 1 || f.Name() != name || f.Size() != int64(len(b))) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	if _, err := OpenFS(fsys, "a"); err == nil {
		t.Error("a folder is opened")
	}
	f, err := OpenReaderAt("memory", bytes.NewReader(b), int64(len(b)))
	if err != nil || f.Name() != "memory" {
		t.Errorf("%v", err)
	}
	if _, err := OpenReaderAt("memory", bytes.NewReader(b), int64(len(b)+1)); !errors.Is(err, ErrFormat) {
		t.Errorf("a file that ends too early: %v", err)
	}
	if _, err := OpenReaderAt("memory", bytes.NewReader(b), -1); err == nil {
		t.Error("a negative size is taken")
	}
	if _, err := OpenReaderAt("memory", broken{}, 8); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a reader that fails: %v", err)
	}
}

type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error) { return 0, io.ErrClosedPipe }
