//go:build unix

package checkpoint

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestNoFiles puts named pipes and devices where files of a checkpoint belong, and links
// to such: to open a pipe would wait for its other end, and a device may never end.
func TestNoFiles(t *testing.T) {
	places := []string{"config.json", "model.safetensors", "model.safetensors.index.json",
		"pytorch_model.bin", "pytorch_model.bin.index.json", "trainer.pt"}
	kinds := map[string]func(path string) error{
		"a named pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a device":     func(path string) error { return os.Symlink("/dev/zero", path) },
		"a folder":     func(path string) error { return os.Mkdir(path, 0o700) },
	}
	for _, place := range places {
		for kind, put := range kinds {
			for _, linked := range []bool{false, true} {
				dir := t.TempDir()
				if err := os.WriteFile(filepath.Join(dir, "config.json"), readCase(t, "hf-tiny", "config.json"), 0o600); err != nil {
					t.Fatal(err)
				}
				path, target := filepath.Join(dir, place), filepath.Join(dir, place)
				if os.Remove(path); linked {
					target = filepath.Join(dir, "target")
					if err := os.Symlink("target", path); err != nil {
						t.Fatal(err)
					}
				}
				if err := put(target); err != nil {
					t.Fatal(err)
				}
				refuseNoFile(t, dir, place, kind)
			}
		}
	}
}

// refuseNoFile opens what is no file in each of the ways in.
func refuseNoFile(t *testing.T, dir, place, kind string) {
	t.Helper()
	path := filepath.Join(dir, place)
	want := path + " is not a regular file but " + kind
	_, asFile := ReadFile(dir, place)
	_, asWeights := OpenWeights(path)
	errs := map[string]error{"ReadFile": asFile, "OpenWeights": asWeights}
	if filepath.Ext(place) != ".pt" { // which a folder is not searched for
		_, errs["Open"] = Open(dir)
	}
	for way, err := range errs {
		if err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s of %s: %v, want %q", way, place, err, want)
		}
	}
	if IsWeights(path) {
		t.Errorf("%s: %s is taken for weights", place, kind)
	}
}
