package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestNoteWithoutRoom notes how far a part is where there is no room for another file.
func TestNoteWithoutRoom(t *testing.T) {
	c := &Client{}
	c.start()
	blob := filepath.Join(t.TempDir(), "blob")
	p, err := c.openPart(blob, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(p.note+".tmp", 0o777); err != nil { // takes the name of the new file
		t.Fatal(err)
	}
	if err := p.add(0, make([]byte, 40)); err != nil {
		t.Fatal(err)
	}
	p.close()
	if n := partBytes(blob); n != 40 {
		t.Errorf("%d bytes are noted, want 40", n)
	}
	if err := os.WriteFile(p.note, []byte(`{"version":1,"size":100,"segm`), 0o666); err != nil {
		t.Fatal(err)
	}
	if n := partBytes(blob); n != 0 {
		t.Errorf("half a note says %d bytes", n)
	}
}

// TestDiskIsNoNetwork has errors of the disk, which are not tried again.
func TestDiskIsNoNetwork(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	for _, err := range []error{full, fmt.Errorf("x: %w", full), fs.ErrPermission} {
		if isNetwork(err) {
			t.Errorf("%v counts as one of the network", err)
		}
	}
	if !isNetwork(fmt.Errorf("%w: x", errBroken)) || !isNetwork(errors.Join(errStalled)) {
		t.Error("errors of the network do not count")
	}
}
