//go:build unix

package gguf

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

// TestShrunkFile takes a file's bytes away after it has been mapped.
func TestShrunkFile(t *testing.T) {
	path := save(t, t.TempDir(), "tiny.gguf", []byte(tiny))
	m, err := mapFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Unmap()
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	_, err = parseMapped(path, m)
	if want := "gguf: " + path + ": became shorter or unreadable while it was read"; !errors.Is(err, ErrFormat) || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// TestReadRows copies rows, and makes an error of what would be a fault.
func TestReadRows(t *testing.T) {
	b, err := Encode(nil, []TensorInfo{{Name: "t", Type: F32, Shape: []int{2, 3}}}, [][]byte{[]byte("aaaabbbbccccddddeeeeffff")})
	if err != nil {
		t.Fatal(err)
	}
	path := save(t, t.TempDir(), "rows.gguf", b)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	x, dst := f.Tensors()[0], make([]byte, 16)
	if x.RowBytes() != 8 {
		t.Errorf("rows of %d bytes, want 8", x.RowBytes())
	}
	if err := x.ReadRows(dst, 1, 3); err != nil || string(dst) != "ccccddddeeeeffff" {
		t.Errorf("%q, %v", dst, err)
	}
	for _, r := range [][2]int{{-1, 1}, {2, 4}, {2, 1}, {0, 1}} {
		if err := x.ReadRows(dst, r[0], r[1]); err == nil {
			t.Errorf("rows %d to %d into %d bytes", r[0], r[1], len(dst))
		}
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if err := x.ReadRows(dst, 1, 3); !errors.Is(err, ErrFormat) {
		t.Errorf("a file that is gone: %v", err)
	}
	f.Close()
	if err := x.ReadRows(dst, 1, 3); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
