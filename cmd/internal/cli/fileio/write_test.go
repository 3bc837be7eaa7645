package fileio

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	write := func(text string, err error) error {
		return Write(path, func(w io.Writer) error {
			io.WriteString(w, text)
			return err
		})
	}
	check := func(want string) {
		t.Helper()
		if b, err := os.ReadFile(path); err != nil || string(b) != want {
			t.Errorf("the file holds %q, %v; want %q", b, err, want)
		}
		if all, _ := os.ReadDir(dir); len(all) != 1 {
			t.Errorf("%d files are in the folder, want 1", len(all))
		}
	}
	if err := write("first", nil); err != nil {
		t.Fatal(err)
	}
	check("first")
	broken := errors.New("broken")
	if err := write("second", broken); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	check("first")
	if err := write("third", nil); err != nil {
		t.Fatal(err)
	}
	check("third")
	if err := Write(dir, func(io.Writer) error { t.Error("called for a folder"); return nil }); err == nil {
		t.Error("a folder was replaced")
	}
	if err := Write(os.DevNull, func(io.Writer) error { t.Error("called for a device"); return nil }); err == nil {
		t.Error("a device was replaced")
	}
}
