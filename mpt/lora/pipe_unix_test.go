//go:build unix

package lora

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestNoFiles puts a named pipe and a link to a device in the place of an adapter's files.
func TestNoFiles(t *testing.T) {
	for _, name := range []string{configName, "adapter_model.safetensors"} {
		dir := folder(t, map[string]any{}, halvesOf("blocks.0.attn.Wqkv", 8, 6, 18)...)
		path := filepath.Join(dir, name)
		os.Remove(path)
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		mustRefuse(t, dir, name+" is not a regular file but a named pipe", fs.ErrInvalid)
		os.Remove(path)
		if err := os.Symlink("/dev/zero", path); err != nil {
			t.Fatal(err)
		}
		mustRefuse(t, dir, name+" is not a regular file but a device", fs.ErrInvalid)
	}
}
