package gguf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"

	"mptgo/internal/newfile"
)

// Options says how to create a file.
type Options struct {
	Force bool // replace an existing file
}

// Writer is a file that is being written. It has a temporary name until Commit.
type Writer struct {
	path   string
	target string // path, or where its links lead
	force  bool
	file   *os.File
	parts  []extent
	size   int64

	blocks  *blocks
	mu      sync.Mutex
	written []spans // of each tensor
	done    bool    // committed or aborted: the file is closed
}

// Create starts a file, of version 3, with the given metadata and tensors. The
// tensors lie in the order given, each padded to a multiple of 32 bytes.
//
// The header is written, and space for the whole file reserved where the
// operating system can do that, in a file .NAME.*.tmp in the same folder. A file
// that is replaced leaves its permissions to the new one; a link is followed.
// Create refuses a path that exists, be it a link to nothing, unless opt.Force is set, keys and tensors
// that no reader would accept, and values of a type that has no place in a
// file, int among them.
func Create(path string, meta []KV, tensors []TensorInfo, opt Options) (*Writer, error) {
	l, err := plan(meta, tensors)
	if err != nil {
		return nil, fmt.Errorf("gguf: %s: %w", path, err)
	}
	target, err := free(path, opt.Force)
	if err != nil {
		return nil, err
	}
	file, err := newfile.Create(path, target)
	if err != nil {
		return nil, fmt.Errorf("gguf: %s: cannot write to folder %s: %w", path, filepath.Dir(target), cause(err))
	}
	w := &Writer{path: path, target: target, force: opt.Force, file: file, parts: l.parts, size: l.size,
		written: make([]spans, len(tensors)), blocks: newBlocks(file)}
	if err := reserve(file, l.size); err != nil {
		return nil, errors.Join(fmt.Errorf("gguf: %s: reserve %d bytes: %w", path, l.size, err), w.Abort())
	}
	if err := w.blocks.add(l.header, 0); err != nil {
		return nil, errors.Join(fmt.Errorf("gguf: %s: write the header: %w", path, err), w.Abort())
	}
	return w, nil
}

// free returns the name of the file that is to be made or replaced: path, or where its links
// lead. It returns an error if that must not be.
func free(path string, force bool) (target string, err error) {
	if path == "" {
		return "", errors.New("gguf: create: the name of the file is empty")
	}
	if target, err = newfile.Follow(path); err != nil {
		return "", fmt.Errorf("gguf: %w", err)
	}
	info, err := os.Stat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist) && target == path:
		return target, nil
	case errors.Is(err, fs.ErrNotExist) && !force:
		return "", fmt.Errorf("gguf: %s: %w: a link to %s, which does not exist: choose another name, "+
			"or allow to write there", path, fs.ErrExist, target)
	case errors.Is(err, fs.ErrNotExist):
		return target, nil
	case err != nil:
		return "", fmt.Errorf("gguf: %w", err)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("gguf: %s: exists and is not a regular file", path)
	case !force:
		return "", taken(path)
	}
	return target, nil
}

// cause returns err without the name of a temporary file, which means nothing
// to those who read it.
func cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		return l.Err
	}
	return err
}

// Size returns the size of the finished file in bytes.
func (w *Writer) Size() int64 { return w.size }

// WriteAt writes p at byte off of the tensor with the given index in the list
// that Create was given. It may be called concurrently, and bytes may be written
// more than once. Small pieces are collected: an error of the disk may be found
// by a later call, or by Commit, and stays.
func (w *Writer) WriteAt(tensor int, p []byte, off int64) (int, error) {
	if tensor < 0 || tensor >= len(w.parts) {
		return 0, fmt.Errorf("gguf: %s: tensor %d of %d does not exist", w.path, tensor, len(w.parts))
	}
	part := w.parts[tensor]
	if off < 0 || off > part.size || int64(len(p)) > part.size-off {
		return 0, fmt.Errorf("gguf: %s: tensor %q: %d bytes at %d do not fit in %d",
			w.path, part.name, len(p), off, part.size)
	}
	if err := w.blocks.add(p, part.start+off); err != nil {
		return 0, fmt.Errorf("gguf: %s: tensor %q: %w", w.path, part.name, cause(err))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		return 0, fmt.Errorf("gguf: %s: tensor %q: %w", w.path, part.name, fs.ErrClosed)
	}
	w.written[tensor] = w.written[tensor].add(off, off+int64(len(p)))
	return len(p), nil
}

// Commit gives the file its name, once every byte of every tensor has been
// written and all of it is on the disk. If it fails because bytes are missing,
// or because a file of that name has appeared since Create, the cause may be
// removed and Commit called again; after any other failure only Abort is left.
func (w *Writer) Commit() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		return fmt.Errorf("gguf: %s: committed or aborted already", w.path)
	}
	if err := w.complete(); err != nil {
		return err
	}
	if err := w.sync(); err != nil {
		return fmt.Errorf("gguf: %s: %w", w.path, cause(err))
	}
	if err := w.giveName(); err != nil {
		return err
	}
	w.done = true
	if err := syncDir(filepath.Dir(w.target)); err != nil {
		return fmt.Errorf("gguf: %s is written, but perhaps not on the disk yet: %w", w.path, err)
	}
	return nil
}

// inUse says what else may be the matter on Windows, which does not replace a file
// that a program has mapped.
func inUse(err error) string {
	if runtime.GOOS == "windows" && errors.Is(err, fs.ErrPermission) {
		return " (does a program use the old one?)"
	}
	return ""
}

// sync brings all bytes to the disk.
func (w *Writer) sync() error {
	if err := w.blocks.flush(); err != nil {
		return err
	}
	return w.file.Sync()
}

// complete returns an error if a byte of a tensor has not been written.
func (w *Writer) complete() error {
	for i, p := range w.parts {
		if missing, first := w.written[i].missing(p.size); missing > 0 {
			return fmt.Errorf("gguf: %s: tensor %q: %d of %d bytes have not been written, the first at %d",
				w.path, p.name, missing, p.size, first)
		}
	}
	return nil
}

// Abort gives up: it removes the temporary file. After a Commit that succeeded,
// or another Abort, it does nothing.
func (w *Writer) Abort() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		return nil
	}
	w.done = true
	w.file.Close() // an error means that Commit closed it, or that bytes nobody wants are lost
	if err := os.Remove(w.file.Name()); err != nil {
		return fmt.Errorf("gguf: %w", err)
	}
	return nil
}

// syncDir makes a rename in a folder durable. Windows has no such operation, and
// some file systems do not need it.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}
