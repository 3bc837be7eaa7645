package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
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
	shards  []*Container
	tensors []*Tensor
	byName  map[string]*Tensor
}

// Open reads config.json, the index if there is one, and the headers of all
// weight files in the folder dir. Of safetensors and torch files it takes the
// former; of an index and a single file, the index.
func Open(dir string) (*Checkpoint, error) {
	c := &Checkpoint{dir: dir, byName: map[string]*Tensor{}}
	if err := c.open(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Checkpoint) open() error {
	b, err := c.File("config.json")
	if errors.Is(err, fs.ErrNotExist) && c.isAdapter() {
		return fmt.Errorf("checkpoint: %s: this is a LoRA adapter, not a model; what is wanted here is its base model: %w", c.dir, errors.ErrUnsupported)
	}
	if err != nil {
		return fmt.Errorf("%w: a checkpoint is a folder that holds config.json, tokenizer.json and weights", err)
	}
	if c.Config, err = ParseConfig(b); err != nil {
		return fmt.Errorf("%w: in %s", err, c.dir)
	}
	return c.openWeights()
}

// isAdapter reports whether the folder is one that PEFT wrote.
func (c *Checkpoint) isAdapter() bool {
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
// tokenizer.json. If it does not exist the error wraps [fs.ErrNotExist].
func (c *Checkpoint) File(name string) ([]byte, error) {
	if !isFileName(name) {
		return nil, fmt.Errorf("checkpoint: %q is not the name of a file in the folder: %w", name, fs.ErrInvalid)
	}
	if c.source != nil {
		return c.fileOf(name)
	}
	path := filepath.Join(c.dir, name)
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
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
// files or wrappers cannot bring the same tensor twice.
func (c *Checkpoint) add(s *Container) error {
	c.shards = append(c.shards, s)
	for _, t := range s.tensors {
		name := canonical(t.Name)
		if isBuffer(name) {
			continue
		}
		if u := c.byName[name]; u != nil {
			return fmt.Errorf("checkpoint: %s: %w", s.path, malformed("tensor %q is also in %s", t.Name, u.in.path))
		}
		t.Name = name
		c.byName[name] = t
		c.tensors = append(c.tensors, t)
	}
	return nil
}
