package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A layout is one of the ways in which weights lie in a folder.
type layout struct {
	index  string // the JSON file that maps names of tensors to shards
	single string // the file of an unsharded checkpoint
	shards string // the pattern of shard names, to recognise a missing index
	open   func(path string) (*Container, error)
}

// layouts in the order of preference.
var layouts = []layout{
	{"model.safetensors.index.json", "model.safetensors", "model-*-of-*.safetensors", OpenSafetensors},
	{"pytorch_model.bin.index.json", "pytorch_model.bin", "pytorch_model-*-of-*.bin", OpenTorch},
}

func (c *Checkpoint) openWeights() error {
	for _, l := range layouts {
		if c.has(l.index) {
			return c.openShards(l)
		}
		if c.has(l.single) {
			s, err := c.container(l, l.single)
			if err != nil {
				return err
			}
			return c.add(s)
		}
	}
	for _, l := range layouts {
		if c.hasShards(l.shards) {
			return fmt.Errorf("checkpoint: %s: %s is missing; it says which tensors are in which of the shards: %w", c.dir, l.index, fs.ErrNotExist)
		}
	}
	return fmt.Errorf("checkpoint: %s: no weights: there is no model.safetensors or pytorch_model.bin, and no index of shards: %w", c.dir, fs.ErrNotExist)
}

func (c *Checkpoint) has(name string) bool {
	if c.source != nil {
		return c.source.Has(name)
	}
	_, err := os.Stat(filepath.Join(c.dir, name))
	return err == nil
}

func (c *Checkpoint) hasShards(pattern string) bool {
	if c.source != nil {
		return false
	}
	files, _ := os.ReadDir(c.dir) // what cannot be listed has no shards that could be named
	for _, f := range files {
		if ok, _ := filepath.Match(pattern, f.Name()); ok {
			return true
		}
	}
	return false
}

// openShards opens every file that an index names and checks that shards and
// index agree on which tensor is where.
func (c *Checkpoint) openShards(l layout) error {
	where, err := c.readIndex(l.index)
	if err != nil {
		return err
	}
	files := slices.Sorted(maps.Values(where))
	for _, file := range slices.Compact(files) {
		s, err := c.container(l, file)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("checkpoint: %s: shard %s, which %s names, is missing: %w", c.dir, file, l.index, fs.ErrNotExist)
		}
		if err != nil {
			return err
		}
		if err := c.add(s); err != nil {
			return err
		}
		if err := agree(s, file, l.index, where); err != nil {
			return err
		}
	}
	return nil
}

// readIndex returns which file holds which tensor. Names of files are those of
// files in the folder: an index cannot point elsewhere.
func (c *Checkpoint) readIndex(name string) (map[string]string, error) {
	b, err := c.File(name)
	if err != nil {
		return nil, err
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	path := filepath.Join(c.dir, name)
	if err := json.Unmarshal(b, &index); err != nil {
		return nil, fmt.Errorf("checkpoint: %s: %w", path, malformed("%v", err))
	}
	if len(index.WeightMap) == 0 {
		return nil, fmt.Errorf("checkpoint: %s: %w", path, malformed("weight_map is missing or empty"))
	}
	where := make(map[string]string, len(index.WeightMap))
	for _, tensor := range slices.Sorted(maps.Keys(index.WeightMap)) {
		file := index.WeightMap[tensor]
		if !isFileName(file) {
			return nil, fmt.Errorf("checkpoint: %s: %w", path, malformed("tensor %q is said to be in %q, which is not the name of a file in the folder", tensor, file))
		}
		where[canonical(tensor)] = file
	}
	return where, nil
}

// agree checks that shard s, which lies in file, holds exactly the tensors that
// the index expects there.
func agree(s *Container, file, index string, where map[string]string) error {
	found := make(map[string]bool, len(s.tensors))
	for _, t := range s.tensors {
		name := canonical(t.Name)
		found[name] = true
		if !isBuffer(name) && where[name] != file {
			return fmt.Errorf("checkpoint: %s: %w", s.path, malformed("tensor %q is not listed in %s: shards and index do not belong together", name, index))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(where)) {
		if where[name] == file && !found[name] && !isBuffer(name) {
			return fmt.Errorf("checkpoint: %s: %w", s.path, malformed("tensor %q, which %s lists, is not in it", name, index))
		}
	}
	return nil
}

// isFileName reports whether name is a plain file name: no folder, no drive, not
// "..".
func isFileName(name string) bool {
	return filepath.IsLocal(name) && name != "." && !strings.ContainsAny(name, `/\:`)
}
