//go:build unix

package gguf

import (
	"errors"
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
