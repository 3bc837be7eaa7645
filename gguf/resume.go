package gguf

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// Resume is [Create] with an unfinished file of the caller's, open for reading and
// writing and in the folder where path, or its links, lead: one that was left behind by [Writer.Keep], or by a
// process that was killed, or an empty one. Resumed reports whether its header is that of
// the given metadata and tensors; if not, the file is begun anew. Which bytes of the
// tensors it holds the caller has to know: see [Writer.Had].
func Resume(path string, file *os.File, meta []KV, tensors []TensorInfo, opt Options) (w *Writer, resumed bool, err error) {
	l, err := plan(meta, tensors)
	if err != nil {
		return nil, false, fmt.Errorf("gguf: %s: %w", path, err)
	}
	target, err := free(path, opt.Force)
	if err != nil {
		return nil, false, err
	}
	w = &Writer{path: path, target: target, force: opt.Force, file: file, parts: l.parts, size: l.size,
		written: make([]spans, len(tensors)),
		blocks:  newBlocks(file)}
	info, err := file.Stat()
	if err != nil {
		return nil, false, fmt.Errorf("gguf: %w", err)
	}
	header := make([]byte, len(l.header))
	if _, err := file.ReadAt(header, 0); err == nil && info.Size() == l.size && bytes.Equal(header, l.header) {
		return w, true, nil
	}
	if err := file.Truncate(0); err != nil {
		return nil, false, fmt.Errorf("gguf: %w", err)
	}
	if err := reserve(file, l.size); err != nil {
		return nil, false, errors.Join(fmt.Errorf("gguf: %s: reserve %d bytes: %w", path, l.size, err), w.Abort())
	}
	if _, err := file.WriteAt(l.header, 0); err != nil {
		return nil, false, errors.Join(fmt.Errorf("gguf: %s: write the header: %w", path, err), w.Abort())
	}
	return w, false, nil
}

// Had says that the file holds bytes of a tensor already, from byte off on.
func (w *Writer) Had(tensor int, off, n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.written[tensor] = w.written[tensor].add(off, off+n)
}

// Flush brings to the disk what has been written so far.
func (w *Writer) Flush() error {
	if err := w.sync(); err != nil {
		return fmt.Errorf("gguf: %s: %w", w.path, cause(err))
	}
	return nil
}

// Keep ends the writer but leaves the unfinished file, for [Resume]. After a Commit that
// succeeded it does nothing.
func (w *Writer) Keep() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		return nil
	}
	w.done = true
	return errors.Join(w.blocks.flush(), w.file.Close())
}
