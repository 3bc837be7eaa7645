package hub

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// linkFrom is the size from which a file that is put elsewhere shares its bytes with the
// cache, where the system can do that. Smaller ones are copied: people edit them.
const linkFrom = 16 << 20

// Place puts files of a commit, which the cache holds, into the folder dir too. What is
// there already and differs is replaced only if force is set.
func (c *Client) Place(rev *Revision, files []File, dir string, force bool) error {
	if err := checkFiles(files); err != nil {
		return fmt.Errorf("hub: %s: %w: %w", rev.Repo, err, ErrHostile)
	}
	for _, f := range files {
		from, to := c.snapshotPath(rev, f), filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := place(from, to, force); err != nil {
			return fmt.Errorf("hub: %w", full(err))
		}
	}
	return nil
}

func place(from, to string, force bool) error {
	from, err := filepath.EvalSymlinks(from)
	if err != nil {
		return err
	}
	if info, err := os.Stat(to); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s: exists and is not a regular file", to)
	}
	same, err := sameContent(from, to)
	switch {
	case same:
		return nil
	case err == nil && !force:
		return fmt.Errorf("%s: %w, with another content: choose another folder, or allow to replace it",
			to, fs.ErrExist)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	tmp := tempName(to)
	err = errors.ErrUnsupported
	if atLeast(from, linkFrom) {
		err = os.Link(from, tmp)
	}
	if err != nil {
		err = copyFile(from, tmp)
	}
	if err == nil {
		err = os.Rename(tmp, to)
	}
	if err != nil {
		os.Remove(tmp)
	}
	return err
}

func atLeast(path string, size int64) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() >= size
}

// sameContent reports whether two files hold the same bytes; the error is that of b.
func sameContent(a, b string) (bool, error) {
	y, err := os.Stat(b)
	if err != nil {
		return false, err
	}
	x, err := os.Stat(a)
	if err != nil || !y.Mode().IsRegular() || x.Size() != y.Size() {
		return false, nil
	}
	if os.SameFile(x, y) {
		return true, nil
	}
	f, err := os.Open(a)
	if err != nil {
		return false, nil
	}
	defer f.Close()
	g, err := os.Open(b)
	if err != nil {
		return false, err
	}
	defer g.Close()
	return sameBytes(f, g), nil
}

func sameBytes(f, g io.Reader) bool {
	p, q := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		n, err := io.ReadFull(f, p)
		m, _ := io.ReadFull(g, q)
		if !bytes.Equal(p[:n], q[:m]) {
			return false
		}
		if err != nil {
			return err == io.EOF || err == io.ErrUnexpectedEOF
		}
	}
}
