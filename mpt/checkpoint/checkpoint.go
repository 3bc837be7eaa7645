package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// maxFile bounds the JSON files of a checkpoint. A tokenizer with a vocabulary of
// a quarter of a million takes 20 MB.
const maxFile = 64 << 20

// A Checkpoint is an open folder. Its methods may be called from several
// goroutines.
type Checkpoint struct {
	Config *Config

	dir     string
	source  Source // nil: the folder dir
	notes   []string
	shards  []*Container
	tensors []*Tensor
	byName  map[string]*Tensor
}

// Open reads config.json, the index if there is one, and the headers of all
// weight files at path: a folder, of which it takes the files that transformers would,
// or one file of weights, to which the other files of its folder belong.
func Open(path string) (*Checkpoint, error) {
	c := &Checkpoint{dir: path, byName: map[string]*Tensor{}}
	file := ""
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		c.dir, file = filepath.Dir(path), filepath.Base(path)
	}
	if err := c.open(file); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// open opens the folder; file is that with the weights, if one was given.
func (c *Checkpoint) open(file string) error {
	b, err := c.File("config.json")
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case missing && file != "":
		return fmt.Errorf("%w: %s holds weights only; the model's config.json and the files of its tokenizer belong beside it", err, file)
	case missing && c.IsAdapter():
		return fmt.Errorf("checkpoint: %s: this is a LoRA adapter, not a model; what is wanted here is its base model: %w", c.dir, errors.ErrUnsupported)
	case err != nil:
		return fmt.Errorf("%w: a checkpoint is a folder that holds config.json, tokenizer.json and weights", err)
	}
	if c.Config, err = ParseConfig(b); err != nil {
		return fmt.Errorf("%w: in %s", err, c.dir)
	}
	if file == "" {
		err = c.openWeights()
	} else if err = c.refuseShard(file); err == nil {
		err = c.openSingle(file)
	}
	if err == nil {
		err = c.dropPrefix()
	}
	if err == nil {
		c.resolve()
	}
	return err
}

// Notes returns what a user should know of the files although it is no error.
func (c *Checkpoint) Notes() []string { return c.notes }

func (c *Checkpoint) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(c.notes, text) {
		c.notes = append(c.notes, text)
	}
}

// IsAdapter reports whether the folder holds an adapter that PEFT wrote, perhaps beside a
// model.
func (c *Checkpoint) IsAdapter() bool {
	return c.has("adapter_config.json")
}

// Close closes all weight files.
func (c *Checkpoint) Close() error {
	var errs []error
	for _, s := range c.shards {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// Dir returns the folder that the checkpoint was opened from.
func (c *Checkpoint) Dir() string { return c.dir }

// Tensors returns the tensors of all shards, with canonical names: without
// the prefixes of wrappers and in today's spelling, such as
// "blocks.0.attn.Wqkv.weight". Buffers that follow from the configuration are left
// out.
func (c *Checkpoint) Tensors() []*Tensor { return c.tensors }

// Tensor returns the tensor with the given canonical name.
func (c *Checkpoint) Tensor(name string) (*Tensor, bool) {
	t, ok := c.byName[name]
	return t, ok
}

// File returns the content of a small file of the folder, such as
// tokenizer.json. If it does not exist the error wraps [fs.ErrNotExist]; a link to what
// does not exist is another error.
func (c *Checkpoint) File(name string) ([]byte, error) {
	if c.source != nil {
		return c.fileOf(name)
	}
	return ReadFile(c.dir, name)
}

// ReadFile is [Checkpoint.File] for the folder dir.
func ReadFile(dir, name string) ([]byte, error) {
	if !isFileName(name) {
		return nil, fmt.Errorf("checkpoint: %q is not the name of a file in the folder: %w", name, fs.ErrInvalid)
	}
	path := filepath.Join(dir, name)
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
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

// add takes the tensors of a shard. Names are made canonical here, so that two
// files or wrappers cannot bring the same tensor twice, unless it is really the same.
func (c *Checkpoint) add(s *Container) error {
	c.shards = append(c.shards, s)
	if note := s.Note(); note != "" {
		c.note("%s", note)
	}
	for _, t := range s.tensors {
		if err := c.addTensor(t); err != nil {
			return err
		}
	}
	return nil
}

func (c *Checkpoint) addTensor(t *Tensor) error {
	name := canonical(t.Name)
	if isBuffer(name) {
		return nil
	}
	if u := c.byName[name]; u != nil {
		return c.addAgain(t, u)
	}
	t.Name = name
	c.byName[name] = t
	c.tensors = append(c.tensors, t)
	return nil
}

// addAgain refuses another tensor t of the name of u, unless they are equal.
func (c *Checkpoint) addAgain(t, u *Tensor) error {
	same, err := t.Equal(u)
	if err != nil {
		return err
	}
	if !same {
		return fmt.Errorf("checkpoint: %s: %w", t.in.path,
			malformed("tensor %q is also in %s, with other values", t.Name, u.in.path))
	}
	c.note("tensor %q is there twice, with the same values", u.Name)
	return nil
}
