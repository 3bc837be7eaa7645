package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// ErrFormat is wrapped by every error that is the fault of a file's content.
var ErrFormat = errors.New("malformed file")

// A Container is one open file of named tensors: safetensors or torch. Its
// methods may be called from several goroutines.
type Container struct {
	path     string
	r        io.ReaderAt
	size     int64
	close    func() error
	tensors  []*Tensor
	metadata map[string]string
	torch    bool // written by torch.save, whatever the file is called
}

// OpenWeights opens a file of tensors: safetensors, or one written by torch.save, in the
// zip or the older stream container. Which it is is told by its first bytes, not by its
// name. A training checkpoint, whose tensors lie in an inner dictionary, is opened at
// that dictionary. The names of the tensors are those of the file.
func OpenWeights(path string) (*Container, error) {
	return openContainer(path, (*Container).readWeights)
}

// OpenSafetensors opens a safetensors file and checks its header.
func OpenSafetensors(path string) (*Container, error) {
	return openContainer(path, (*Container).readSafetensors)
}

// Format returns "torch" or "safetensors".
func (c *Container) Format() string {
	if c.torch {
		return "torch"
	}
	return "safetensors"
}

// Note returns what a user should know of the file although it is no error: that its
// name says that it is of the other kind. It is empty if there is nothing to say.
func (c *Container) Note() string {
	ext := strings.ToLower(filepath.Ext(c.path))
	if c.torch == (ext == ".safetensors") && slices.Contains(weightFiles, ext) {
		return fmt.Sprintf("%s is a %s file, whatever its name says, and read as one",
			filepath.Base(c.path), c.Format())
	}
	return ""
}

// Path returns the name that the container was opened with.
func (c *Container) Path() string { return c.path }

// Tensors returns the tensors in the order in which the file lists them.
func (c *Container) Tensors() []*Tensor { return c.tensors }

// Tensor returns the tensor with the given name.
func (c *Container) Tensor(name string) (*Tensor, bool) {
	for _, t := range c.tensors {
		if t.Name == name {
			return t, true
		}
	}
	return nil, false
}

// Metadata returns the string map of a safetensors header; it is empty for
// torch files. The caller must not change it.
func (c *Container) Metadata() map[string]string { return c.metadata }

// Close closes the file. Its tensors can no longer be read.
func (c *Container) Close() error {
	if c.close == nil {
		return nil
	}
	err := c.close()
	c.close = nil
	return err
}

func openContainer(path string, read func(*Container) error) (*Container, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	c, err := newContainer(path, f, info.Size(), read)
	if err != nil {
		f.Close()
		return nil, err
	}
	c.close = f.Close
	return c, nil
}

// newContainer reads the header of the size bytes behind r; path is for errors.
func newContainer(path string, r io.ReaderAt, size int64, read func(*Container) error) (*Container, error) {
	c := &Container{path: path, r: r, size: size}
	err := c.refuseStrangers()
	if err == nil {
		err = read(c)
	}
	if err == nil {
		err = c.refuseDuplicates()
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %s: %w", path, err)
	}
	return c, nil
}

// head returns the first n bytes of the file, or fewer if it is shorter.
func (c *Container) head(n int64) ([]byte, error) {
	b := make([]byte, min(n, c.size))
	if _, err := c.r.ReadAt(b, 0); err != nil && err != io.EOF {
		return nil, err
	}
	return b, nil
}

func (c *Container) refuseDuplicates() error {
	seen := make(map[string]bool, len(c.tensors))
	for _, t := range c.tensors {
		if t.Name == "" {
			return malformed("a tensor has no name")
		}
		if seen[t.Name] {
			return malformed("two tensors are named %q", t.Name)
		}
		seen[t.Name] = true
	}
	return nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrFormat}, args...)...)
}
