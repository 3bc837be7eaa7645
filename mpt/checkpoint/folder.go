package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A layout is one of the ways in which weights lie in a folder.
type layout struct {
	single string // the file of an unsharded checkpoint
	index  string // the JSON file that maps names of tensors to shards
	shards string // the pattern of shard names, to recognise a missing index
}

// layouts in the order of preference, which is that of transformers 5: safetensors first,
// and of these a single file before an index, which an earlier save may have left.
var layouts = []layout{
	{"model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors"},
	{"pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*-of-*.bin"},
}

// HasWeights reports whether the folder dir holds the weights of a model, under the names
// that transformers looks for.
func HasWeights(dir string) bool {
	for _, l := range layouts {
		if isThere(filepath.Join(dir, l.single)) || isThere(filepath.Join(dir, l.index)) {
			return true
		}
	}
	return false
}

func (c *Checkpoint) openWeights() error {
	for _, l := range layouts {
		switch {
		case c.has(l.single):
			if c.has(l.index) && !c.isIndexOf(l) {
				c.note("%s is not read: it is about other files than %s, which holds all weights", l.index, l.single)
			}
			return c.hint(c.openSingle(l.single), l.single)
		case c.has(l.index):
			return c.hint(c.openShards(l), l.index)
		}
	}
	for _, l := range layouts {
		if c.hasShards(l.shards) {
			return fmt.Errorf("checkpoint: %s: %s is missing; it says which tensors are in which of the shards%s: %w",
				c.dir, l.index, c.candidates(), fs.ErrNotExist)
		}
	}
	return fmt.Errorf("checkpoint: %s: no weights: there is no model.safetensors or pytorch_model.bin, and no index of shards%s: %w",
		c.dir, c.candidates(), fs.ErrNotExist)
}

// hint adds to what is wrong with the weights in the file used that the folder holds them
// in another way, too: transformers does not look at that either.
func (c *Checkpoint) hint(err error, used string) error {
	if !errors.Is(err, ErrFormat) {
		return err
	}
	later := false
	for _, l := range layouts {
		for _, name := range []string{l.single, l.index} {
			if later && c.has(name) {
				return fmt.Errorf("%w; %s lies beside it and is read once %s is gone", err, name, used)
			}
			later = later || name == used
		}
	}
	return err
}

func (c *Checkpoint) has(name string) bool {
	if c.source != nil {
		return c.source.Has(name)
	}
	return isThere(filepath.Join(c.dir, name))
}

// container opens a file of weights.
func (c *Checkpoint) container(name string) (*Container, error) {
	if c.source != nil {
		return c.containerOf(name)
	}
	return OpenWeights(filepath.Join(c.dir, name))
}

// openSingle opens the one file of weights.
func (c *Checkpoint) openSingle(name string) error {
	s, err := c.container(name)
	if err != nil {
		return err
	}
	return c.add(s)
}

// isIndexOf reports whether an index says that all tensors are in the single file.
func (c *Checkpoint) isIndexOf(l layout) bool {
	where, err := c.readIndex(l.index)
	for _, file := range where {
		if file != l.single {
			return false
		}
	}
	return err == nil
}

// shardName matches the names of files that hold a part of the weights each.
var shardName = regexp.MustCompile(`-(\d{5})-of-(\d{5})\.\w+$`)

// refuseShard returns an error if a file is one of several that belong together.
func (c *Checkpoint) refuseShard(name string) error {
	if m := shardName.FindStringSubmatch(name); m != nil && m[2] != "00001" {
		return fmt.Errorf("checkpoint: %s is one of %s shards: give the folder, which holds all of them: %w",
			filepath.Join(c.dir, name), strings.TrimLeft(m[2], "0"), ErrFormat)
	}
	return nil
}

func (c *Checkpoint) hasShards(pattern string) bool {
	if c.source != nil {
		return false // it does not say what it has besides
	}
	files, _ := os.ReadDir(c.dir) // what cannot be listed has no shards that could be named
	for _, f := range files {
		if ok, _ := filepath.Match(pattern, f.Name()); ok {
			return true
		}
	}
	return false
}

// The endings of files that may hold weights, and the beginnings of those that never do
// although they end so.
var (
	weightFiles = []string{".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".msgpack", ".distcp",
		".onnx", ".npz"}
	otherFiles = []string{"training_args", "optimizer", "scheduler", "rng_state", "scaler", "tokenizer"}
)

// weightExt returns the ending of a name if it is one of a file that may hold weights; a file
// that a download has not finished has another one behind it.
func weightExt(name string) (ext string, unfinished bool) {
	name = strings.ToLower(name)
	ext = filepath.Ext(name)
	if slices.Contains(partEndings, ext) {
		ext, unfinished = filepath.Ext(strings.TrimSuffix(name, ext)), true
	}
	if !slices.Contains(weightFiles, ext) {
		return "", false
	}
	return ext, unfinished
}

// partEndings are what programs that download write behind names until they are done.
var partEndings = []string{".part", ".partial", ".incomplete", ".crdownload", ".download", ".tmp", ".aria2"}

// candidates tells which files with weights under other names there are in the folder.
// A [Source] does not say what it has besides.
func (c *Checkpoint) candidates() string {
	const most = 8
	if c.source != nil {
		return ""
	}
	var names []string
	read := false // whether one of them can be given as it is
	entries, _ := os.ReadDir(c.dir)
	for _, e := range entries {
		name := e.Name()
		ext, unfinished := weightExt(name)
		has := func(start string) bool { return strings.HasPrefix(strings.ToLower(name), start) }
		switch {
		case e.IsDir() && (has("checkpoint") || has("global_step")):
			names = append(names, fmt.Sprintf("the folder %q", name))
		case e.IsDir() || slices.ContainsFunc(otherFiles, has) || ext == "":
		case unfinished:
			names = append(names, fmt.Sprintf("%q, which a download has not finished", name))
		case has("adapter_model."):
			names = append(names, fmt.Sprintf("%q of a LoRA adapter", name))
		default:
			names = append(names, fmt.Sprintf("%q", name))
			read = read || IsWeights(filepath.Join(c.dir, name))
		}
	}
	if len(names) == 0 {
		return ""
	}
	if more := len(names) - most; more > 0 {
		names = append(names[:most], fmt.Sprintf("%d more", more))
	}
	text := "; there is " + strings.Join(names, ", ")
	if read {
		text += " (to read a file under another name, give the file itself, beside config.json)"
	}
	return text
}
