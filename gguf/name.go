package gguf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"mptgo/internal/newfile"
)

// link gives the file temp a second name, path, unless that is taken: unlike a check and
// a rename, nothing can come between. It reports false where the file system has no
// second names.
func link(temp, path string) (bool, error) {
	err := os.Link(temp, path)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrExist):
		return false, taken(path)
	}
	return false, nil
}

// giveName gives the finished file its name. Without force it replaces nothing: where
// that cannot be had in one step, only the moment after the check remains.
func (w *Writer) giveName() error {
	if _, err := free(w.path, w.force); err != nil {
		return err
	}
	linked := false
	if !w.force {
		var err error
		if linked, err = link(w.file.Name(), w.target); err != nil {
			return err
		}
	}
	if err := w.file.Close(); err != nil {
		if linked {
			os.Remove(w.target)
		}
		return fmt.Errorf("gguf: %s: %w", w.path, err)
	}
	if linked {
		return os.Remove(w.file.Name())
	}
	if err := newfile.Rename(w.file.Name(), w.target); err != nil {
		return fmt.Errorf("gguf: %s: cannot give the new file its name%s: %w", w.path, inUse(err), cause(err))
	}
	return nil
}

// taken is the error for a name that another file has.
func taken(path string) error {
	return fmt.Errorf("gguf: %s: %w: choose another name, or allow to replace it", path, fs.ErrExist)
}
