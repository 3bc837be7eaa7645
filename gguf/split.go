package gguf

import (
	"fmt"
	"strings"
)

// shardSuffix is how the name of file i, from 1, of a model split in n ends.
func shardSuffix(i, n int) string { return fmt.Sprintf("-%05d-of-%05d.gguf", i, n) }

// shard returns which file of how many f is; count is 1 if it is not split.
func (f *File) shard() (no, count int, err error) {
	n, err := GetOr(f, KeySplitCount, uint16(0))
	if err != nil || n <= 1 {
		return 0, 1, err
	}
	i, err := Get[uint16](f, KeySplitNo)
	return int(i), int(n), err
}

// openShards opens the other files if f is the first of a split model.
func (f *File) openShards() error {
	no, count, err := f.shard()
	if err != nil || count == 1 {
		return err
	}
	prefix, named := strings.CutSuffix(f.name, shardSuffix(no+1, count))
	switch {
	case !named:
		return f.fault("file %d of a model split in %d, but its name does not end in %s: give all files their names back",
			no+1, count, shardSuffix(no+1, count))
	case no != 0:
		return f.fault("file %d of a split model: open the first, %s", no+1, prefix+shardSuffix(1, count))
	}
	for i := 1; i < count; i++ {
		if err := f.openShard(prefix, i, count); err != nil {
			return fmt.Errorf("%w (file %d of %d of a split model)", err, i+1, count)
		}
	}
	total, err := Get[int](f, KeySplitTensors)
	if err != nil {
		return err
	}
	if total != len(f.tensors) {
		return f.fault("key %q: %d, but the %d files hold %d tensors", KeySplitTensors, total, count, len(f.tensors))
	}
	return nil
}

// openShard adds file i, from 0, of count to f.
func (f *File) openShard(prefix string, i, count int) error {
	s, err := openOne(prefix + shardSuffix(i+1, count))
	if err != nil {
		return err
	}
	f.maps = append(f.maps, s.maps...)
	f.size += s.size
	no, n, err := s.shard()
	if err != nil {
		return err
	}
	if no != i || n != count {
		return s.fault("its keys say file %d of %d: it belongs to another model or was renamed", no+1, n)
	}
	for _, t := range s.tensors {
		if f.byName[t.Name] != nil {
			return s.fault("tensor %q is in an earlier file too", t.Name)
		}
		f.byName[t.Name] = t
		f.tensors = append(f.tensors, t)
	}
	return nil
}
