//go:build unix

package serve

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A pipe in the place of a block is not waited for.
func TestDiskPipe(t *testing.T) {
	m, dir := open(t), t.TempDir()
	prompt := tokens(1, 3*blockTokens)
	e := start(t, m, Options{CacheDir: dir})
	want := ask(t, e, greedy(prompt, 5))
	drain(t, e)
	e = start(t, m, Options{CacheDir: dir})
	for _, path := range files(t, dir) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := ask(t, e, greedy(prompt, 5)); got != want {
		t.Errorf("another answer: %s", difference(want, got))
	}
	drain(t, e)
	if info, err := os.Lstat(filepath.Join(dir, mustChain(t, m, "").names(prompt)[0])); err != nil || !info.Mode().IsRegular() {
		t.Errorf("the pipe is still there: %v %v", info, err)
	}
}
