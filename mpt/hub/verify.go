package hub

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// verifyBlob returns an error unless the file at path has the hash that it is named for.
func verifyBlob(path string) error {
	return verifyFile(path, filepath.Base(path))
}

func verifyFile(path, want string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h := newHash(want, info.Size())
	if !isHash(want) {
		return fmt.Errorf("%s: %w", path, errNoHash)
	}
	if _, err := io.CopyBuffer(struct{ io.Writer }{h}, f, make([]byte, 1<<20)); err != nil {
		return err
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != want {
		return fmt.Errorf("%s: %w: its hash is %s", path, ErrCorrupt, sum)
	}
	return nil
}

// errNoHash is returned for a blob whose name is no hash: some mirrors have none.
var errNoHash = fmt.Errorf("the name is no hash, so that it cannot be verified")
