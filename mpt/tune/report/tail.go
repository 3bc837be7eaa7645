package report

import (
	"errors"
	"os"

	"mptgo/internal/newfile"
)

// tail appends to a file. What could not be written stays to be written with what comes next.
type tail struct {
	file    *os.File
	size    int64 // of what is written for certain
	pending []byte
}

// openTail returns a file with a content to append to. A file that has it already is kept; else another takes
// its place when it is complete.
func openTail(path string, content []byte) (*tail, error) {
	if old, err := os.ReadFile(path); err != nil || string(old) != string(content) {
		if err := replace(path, content); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &tail{file: f, size: int64(len(content))}, nil
}

// write appends b, after what is still pending.
func (t *tail) write(b []byte) error {
	t.pending = append(t.pending, b...)
	if _, err := t.file.WriteAt(t.pending, t.size); err != nil {
		return errors.Join(err, t.file.Truncate(t.size)) // no half of a line
	}
	t.size += int64(len(t.pending))
	t.pending = t.pending[:0]
	return nil
}

func (t *tail) close() error {
	var err error
	if len(t.pending) > 0 {
		err = t.write(nil)
	}
	return errors.Join(err, t.file.Close())
}

// replace writes a whole file, which has its name when it is complete.
func replace(path string, content []byte) error {
	target, err := newfile.Follow(path)
	if err != nil {
		return err
	}
	f, err := newfile.Create(path, target)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = newfile.Rename(f.Name(), target)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
