//go:build unix

package eval

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestReadFile reads files and pipes that end, and neither devices nor what is too long.
func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "pipe")
	if err := os.WriteFile(file, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for most, want := range map[int64]string{4: "more than 4 bytes", 5: ""} {
		go os.WriteFile(pipe, []byte("12345"), 0o600)
		for _, name := range []string{file, pipe} {
			b, err := readUpTo(name, most)
			if want == "" && (err != nil || string(b) != "12345") || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s, %d bytes: %q, %v", name, most, b, err)
			}
		}
	}
	for _, read := range []func(string) error{
		func(name string) error { _, err := Load(name, LoadOptions{}); return err },
		func(name string) error { _, err := LoadGauntlet(name); return err },
		func(name string) error { _, err := ReadReport(name); return err },
	} {
		if err := read("/dev/zero"); err == nil || !strings.Contains(err.Error(), "/dev/zero: not a file but a device") {
			t.Error(err)
		}
	}
}
