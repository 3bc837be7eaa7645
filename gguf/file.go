package gguf

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime/debug"

	"github.com/edsrzf/mmap-go"
)

// File is an open model: one file, or all files of a split one. Its methods
// may be called concurrently, except for Close.
type File struct {
	name    string
	version uint32
	meta    []KV
	keys    map[string]int // index in meta
	tensors []*Tensor
	byName  map[string]*Tensor
	size    int64
	maps    []mmap.MMap
}

// Open maps the file at path and reads its header. If the file is the first of
// a split model, the others are opened too; any other part of one is an error.
func Open(path string) (*File, error) {
	f, err := openOne(path)
	if err != nil {
		return nil, err
	}
	if err := f.openShards(); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Parse reads a whole file that lies in memory, which must not change while the
// result is in use. The name is for errors.
func Parse(name string, b []byte) (*File, error) {
	f, err := parse(name, b)
	if err != nil {
		return nil, err
	}
	no, count, err := f.shard()
	if err != nil {
		return nil, err
	}
	if count > 1 {
		return nil, f.fault("file %d of a model split in %d: it cannot be read alone", no+1, count)
	}
	return f, nil
}

// openOne opens one file, without the others of a split model.
func openOne(path string) (*File, error) {
	m, err := mapFile(path)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	f, err := parseMapped(path, m)
	if err != nil {
		return nil, errors.Join(err, unmap(path, m))
	}
	if m != nil {
		f.maps = []mmap.MMap{m}
	}
	return f, nil
}

// mapFile maps a regular file read-only. The mapping of an empty one is nil.
func mapFile(path string) (mmap.MMap, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path) // to open a pipe would wait for a writer
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	size := info.Size()
	switch {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file", path)
	case size == 0:
		return nil, nil
	case size > math.MaxInt:
		return nil, fmt.Errorf("%s: %d bytes: too large for this machine's address space", path, size)
	}
	m, err := mmap.MapRegion(file, int(size), mmap.RDONLY, 0, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: map %d bytes: %w", path, size, err)
	}
	hugePages(m)
	return m, nil
}

// parseMapped is parse for a mapping.
func parseMapped(name string, b []byte) (f *File, err error) {
	if fault := guard(name, func() error { f, err = parse(name, b); return nil }); fault != nil {
		return nil, fault
	}
	return f, err
}

// Guard calls read, which touches the data of tensors. If part of it is gone (another
// process has shortened the file, or the disk fails), reading there faults, and Guard
// returns an error that wraps [ErrFormat].
func (f *File) Guard(read func() error) error { return guard(f.name, read) }

func guard(name string, read func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch e := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }: // runtime's error of a fault
			err = &formatError{name, nowhere, "became shorter or unreadable while it was read"}
		default:
			panic(e)
		}
	}()
	return read()
}

func unmap(name string, m mmap.MMap) error {
	if m == nil {
		return nil
	}
	if err := m.Unmap(); err != nil {
		return fmt.Errorf("gguf: %s: unmap: %w", name, err)
	}
	return nil
}

// Close ends the mapping. The data of all tensors is invalid afterwards; values
// of keys stay valid. Closing again does nothing.
func (f *File) Close() error {
	for _, t := range f.tensors {
		t.data = nil
	}
	var errs []error
	for _, m := range f.maps {
		errs = append(errs, unmap(f.name, m))
	}
	f.maps = nil
	return errors.Join(errs...)
}

// Name returns the path or name that the file was opened with.
func (f *File) Name() string { return f.name }

// Version returns the version of the format, 2 or 3.
func (f *File) Version() uint32 { return f.version }

// Size returns the number of bytes in all files of the model.
func (f *File) Size() int64 { return f.size }

// Meta returns the metadata in file order; of a split model, that of the first
// file. It must not be modified.
func (f *File) Meta() []KV { return f.meta }

// ModelMeta returns the metadata without the keys that describe the file
// itself: what a file with the same model in another layout holds.
func (f *File) ModelMeta() []KV {
	var meta []KV
	for _, kv := range f.meta {
		switch kv.Key {
		case KeyAlignment, KeySplitNo, KeySplitCount, KeySplitTensors:
		default:
			meta = append(meta, kv)
		}
	}
	return meta
}

// Value returns the value of a key; see [KV] for its type, and [Get].
func (f *File) Value(key string) (any, bool) {
	i, ok := f.keys[key]
	if !ok {
		return nil, false
	}
	return f.meta[i].Value, true
}

// Tensors returns all tensors in file order; of a split model, file after file.
// The slice must not be modified.
func (f *File) Tensors() []*Tensor { return f.tensors }

// Parameters returns the number of weights in all tensors.
func (f *File) Parameters() (n int64) {
	for _, t := range f.tensors {
		n += int64(t.Rows()) * int64(t.Shape[0])
	}
	return n
}

// MainType returns the type that most bytes of the tensors are in.
func (f *File) MainType() (most Type) {
	sums := map[Type]int{}
	for _, t := range f.tensors {
		sums[t.Type] += len(t.Data())
		if sums[t.Type] > sums[most] {
			most = t.Type
		}
	}
	return most
}

// Tensor returns the tensor with the given name.
func (f *File) Tensor(name string) (*Tensor, bool) {
	t, ok := f.byName[name]
	return t, ok
}
