package gguf

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math"
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
	if _, err := OpenReaderAt("memory", bytes.NewReader(b), math.MaxInt); !errors.Is(err, ErrFormat) {
		t.Errorf("a file that claims any size: %v", err)
	}
	if _, err := OpenReaderAt("memory", bytes.NewReader(b), -1); err == nil {
		t.Error("a negative size is taken")
	}
	if _, err := OpenReaderAt("memory", broken{}, 8); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a reader that fails: %v", err)
	}
}

// What can only be read from front to back, as in an archive, is read whole, whatever its size.
func TestOpenFSGrows(t *testing.T) {
	for _, n := range []int{1, firstRead - 1, firstRead, firstRead + 1, 2*firstRead + 3} {
		b := make([]byte, n)
		b[0], b[n/2], b[n-1] = 1, 2, 3
		for _, at := range []io.ReaderAt{nil, bytes.NewReader(b), broken{}} {
			got, err := readAll(io.MultiReader(bytes.NewReader(b)), at, int64(n))
			if err != nil || !bytes.Equal(got, b) {
				t.Errorf("%d bytes, read at %T: %d bytes, %v", n, at, len(got), err)
			}
		}
		if _, err := readAll(bytes.NewReader(b), nil, int64(n)+1); err != io.EOF && err != io.ErrUnexpectedEOF {
			t.Errorf("%d bytes and one more: %v", n, err)
		}
	}
}

type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error) { return 0, io.ErrClosedPipe }
