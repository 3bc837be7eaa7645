package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"mptgo/internal/filelock"
)

// lock waits until no other process, of Python either, downloads a blob. Where files
// cannot be locked it does not wait.
func (c *Client) lock(ctx context.Context, repo, hash string) (release func(), err error) {
	path := c.lockPath(repo, hash)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, fmt.Errorf("hub: the cache cannot be written to: %w", err)
	}
	told := false
	for {
		f, err := tryLock(path)
		switch {
		case err == nil:
			return func() { f.Close() }, nil
		case !errors.Is(err, filelock.ErrLocked):
			return nil, fmt.Errorf("hub: the cache cannot be written to: %w", err)
		}
		if !told {
			c.Logf("another process downloads %.12s of %s: waiting for it", hash, repo)
			told = true
		}
		if err := sleep(ctx, c.Times.Lock); err != nil {
			return nil, err
		}
	}
}

func (c *Client) lockPath(repo, hash string) string {
	return filepath.Join(c.Cache, ".locks", folderName(repo), hash+".lock")
}

// tryLock takes the lock at path, or returns filelock.ErrLocked. The lock is gone when the file is closed,
// also by the end of the process. Its file stays, as Python's filelock leaves it; whoever holds a lock may
// remove it.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o664)
	if err != nil {
		return nil, err
	}
	if err = filelock.LockFirstByte(f); err == nil && !filelock.Named(f, path) {
		err = filelock.ErrLocked
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
