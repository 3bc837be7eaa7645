package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// openShards opens every file that an index names and checks that shards and
// index agree on which tensor is where.
func (c *Checkpoint) openShards(l layout) error {
	where, err := c.readIndex(l.index)
	if err != nil {
		return err
	}
	files := slices.Compact(slices.Sorted(maps.Values(where)))
	held := make(map[string][]string, len(where)) // the files that hold a tensor
	for _, file := range files {
		s, err := c.container(file)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("checkpoint: %s: shard %s, which %s names, is missing: %w",
				c.dir, file, l.index, fs.ErrNotExist)
		}
		if err != nil {
			return err
		}
		for _, t := range s.tensors {
			name := canonical(t.Name)
			held[name] = append(held[name], file)
		}
		if err := c.add(s); err != nil {
			return err
		}
	}
	return c.agree(l.index, where, held)
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
	if len(b) == 0 {
		return nil, fmt.Errorf("checkpoint: %s: %w", path, errEmpty)
	}
	if err := json.Unmarshal(b, &index); err != nil {
		return nil, fmt.Errorf("checkpoint: %s: %w", path, malformed("%v", err))
	}
	if len(index.WeightMap) == 0 {
		return nil, fmt.Errorf("checkpoint: %s: %w", path, malformed("weight_map is missing or empty"))
	}
	where := make(map[string]string, len(index.WeightMap))
	for _, tensor := range slices.Sorted(maps.Keys(index.WeightMap)) {
		file := index.WeightMap[tensor]
		for strings.HasPrefix(file, "./") {
			file = strings.TrimLeft(file[2:], "/")
		}
		if !isFileName(file) {
			return nil, fmt.Errorf("checkpoint: %s: %w", path,
				malformed("tensor %q is said to be in %q, which is not the name of a file in the folder",
					tensor, index.WeightMap[tensor]))
		}
		where[canonical(tensor)] = file
	}
	return where, nil
}

// agree checks that the shards hold the tensors where the index expects them, and no
// others. A matrix that is tied to another may be in the index and in no shard, or the
// other way round: writers leave one of the two out. Further copies are those that add
// has found to be equal.
func (c *Checkpoint) agree(index string, where map[string]string, held map[string][]string) error {
	for _, name := range slices.Sorted(maps.Keys(held)) {
		switch file := where[name]; {
		case isBuffer(name), slices.Contains(held[name], file), file == "" && where[twin(name)] != "":
		default:
			return fmt.Errorf("checkpoint: %s: %w", filepath.Join(c.dir, held[name][0]),
				malformed("tensor %q is not listed in %s: shards and index do not belong together", name, index))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(where)) {
		if held[name] != nil || isBuffer(name) {
			continue
		}
		if held[twin(name)] == nil {
			return fmt.Errorf("checkpoint: %s: %w", filepath.Join(c.dir, where[name]),
				malformed("tensor %q, which %s lists, is not in it", name, index))
		}
		c.note("%s lists %s, which is in none of the files", index, name)
	}
	return nil
}

// isFileName reports whether name is a plain file name: no folder, no drive, not
// "..".
func isFileName(name string) bool {
	return filepath.IsLocal(name) && name != "." && !strings.ContainsAny(name, `/\:`)
}
