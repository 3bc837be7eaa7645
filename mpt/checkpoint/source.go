package checkpoint

import (
	"fmt"
	"io"
	"path/filepath"
)

// A Source is where the files of a checkpoint come from when they do not lie in a folder.
// Its methods may be called from several goroutines.
type Source interface {
	// Dir is the folder in which its files would lie. It says what the checkpoint is called,
	// and is in messages.
	Dir() string
	// Has reports whether there is a file of that name.
	Has(name string) bool
	// File returns the content of a small file, or an error that wraps fs.ErrNotExist.
	File(name string) ([]byte, error)
	// Weights returns a file of weights and its size in bytes.
	Weights(name string) (io.ReaderAt, int64, error)
}

// OpenSource is [Open] for a checkpoint whose files src has.
func OpenSource(src Source) (*Checkpoint, error) {
	c := &Checkpoint{dir: src.Dir(), source: src, byName: map[string]*Tensor{}}
	if err := c.open(""); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Streamed reports whether the checkpoint has a [Source], from which it is slow to read
// what is not needed.
func (c *Checkpoint) Streamed() bool { return c.source != nil }

// fileOf returns a small file of the source.
func (c *Checkpoint) fileOf(name string) ([]byte, error) {
	b, err := c.source.File(name)
	path := filepath.Join(c.dir, name)
	switch {
	case err != nil:
		return nil, fmt.Errorf("checkpoint: %w", err)
	case len(b) > maxFile:
		return nil, fmt.Errorf("checkpoint: %s: %w", path, malformed("it is larger than %d bytes", maxFile))
	case isPointer(b):
		return nil, fmt.Errorf("checkpoint: %s: %w", path, errPointer)
	}
	return b, nil
}

// containerOf opens a file of weights of the source.
func (c *Checkpoint) containerOf(name string) (*Container, error) {
	r, size, err := c.source.Weights(name)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return newContainer(filepath.Join(c.dir, name), r, size, (*Container).readWeights)
}

// Span returns where rows r0 up to r1 lie: bytes from up to to of the named file. If they
// do not lie there one after the other, ok is false.
func (t *Tensor) Span(r0, r1 int) (file string, from, to int64, ok bool) {
	row := int64(t.RowBytes())
	return filepath.Base(t.in.path), t.offset + int64(r0)*row, t.offset + int64(r1)*row, t.strides == nil
}
