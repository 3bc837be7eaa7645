package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A storage is one flat array of a torch file. Tensors are views of it.
type storage struct {
	key    string
	dtype  dtype
	count  int   // elements
	offset int64 // of its first byte in the file; unknown while the pickle is read
}

func (s *storage) bytes() int64 { return int64(s.count) * int64(s.dtype.size) }

// torchFile is what both torch containers share: a pickle that describes tensors
// and names the storages that hold their elements.
type torchFile struct {
	c        *Container
	storages map[string]*storage
}

// The first bytes of the two containers. A legacy file starts with a pickled
// number of ten bytes.
var (
	zipMagic    = []byte("PK\x03\x04")
	legacyMagic = []byte("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19")
)

func (c *Container) readTorch() error {
	c.torch = true
	b, err := c.head(int64(len(legacyMagic)))
	if err != nil {
		return err
	}
	t := &torchFile{c: c, storages: map[string]*storage{}}
	switch {
	case bytes.HasPrefix(b, zipMagic):
		return t.readZip()
	case bytes.HasPrefix(b, legacyMagic):
		return t.readLegacy()
	}
	return malformed("this is not a file that torch.save wrote: it starts with % x", b)
}

// persist resolves a persistent id, the place in a pickle where torch refers to a
// storage:
//
//	("storage", class, key, location, count)                              zip
//	("storage", class, key, location, count, None or (key, start, count)) legacy
func (t *torchFile) persist(id tuple) (any, error) {
	if len(id) < 5 || len(id) > 6 || id[0] != "storage" {
		return nil, malformed("a persistent id that does not name a storage")
	}
	class, _ := id[1].(symbol)
	dt, ok := dtypeOfStorage(class)
	key, okKey := id[2].(string)
	n, okCount := id[4].(int64)
	if !ok || !okKey || !okCount || n < 0 || n > math.MaxInt/int64(dt.size) {
		return nil, malformed("a storage whose class, key or size is not what torch writes")
	}
	s := t.storages[key]
	if s == nil {
		s = &storage{key: key, dtype: dt, count: int(n), offset: -1}
		t.storages[key] = s
	}
	if s.dtype != dt || int64(s.count) != n {
		return nil, malformed("storage %q is described twice, as %d of %s and %d of %s",
			key, s.count, s.dtype.name, n, dt.name)
	}
	if len(id) == 6 && id[5] != nil {
		return s.part(id[5])
	}
	return view{s, 0, s.count}, nil
}

// part resolves the sixth element of a legacy id.
func (s *storage) part(metadata any) (any, error) {
	m, _ := metadata.(tuple)
	if len(m) != 3 {
		return nil, malformed("view of storage %q: not what torch writes", s.key)
	}
	start, ok1 := m[1].(int64)
	n, ok2 := m[2].(int64)
	if !ok1 || !ok2 || start < 0 || n < 0 || start > int64(s.count) || n > int64(s.count)-start {
		return nil, malformed("view of storage %q reaches outside its %d elements", s.key, s.count)
	}
	return view{s, int(start), int(n)}, nil
}

// maxExpansion is how many times larger than the file its tensors may be together.
// Tied weights, stored once, make it less than two; repetition of elements (a stride
// of 0) could make terabytes of a kilobyte.
const maxExpansion = 4

// addTensors adds the tensors of an unpickled object to the container. locate
// finds the offset of a storage in the file.
func (t *torchFile) addTensors(value any, locate func(*storage) error) error {
	d, err := stateDict(value)
	if err != nil {
		return err
	}
	room := maxExpansion * t.c.size
	for _, it := range d.items {
		if !it.isWeight() {
			continue
		}
		name, ok := it.key.(string)
		if !ok {
			return malformed("a tensor is stored under a key that is not a string")
		}
		ref, ok := it.value.(*tensorRef)
		if !ok {
			return fmt.Errorf("tensor %q is of a kind that is not read, %q: %w",
				name, it.value.(*object).name, errors.ErrUnsupported)
		}
		tensor, err := t.tensor(name, ref, locate)
		if err != nil {
			return err
		}
		if room -= int64(tensor.Bytes()); room < 0 {
			return malformed("tensor %q of size %v: the tensors are more than %d times as large as the file, which repeats elements", name, ref.shape, maxExpansion)
		}
		t.c.tensors = append(t.c.tensors, tensor)
	}
	return nil
}

// tensor returns the tensor that ref describes.
func (t *torchFile) tensor(name string, ref *tensorRef, locate func(*storage) error) (*Tensor, error) {
	if ref.of == nil {
		return nil, malformed("tensor %q has no elements", name)
	}
	if ref.of.offset < 0 {
		if err := locate(ref.of); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
	}
	return newTensor(t.c, name, ref.dtype, ref.shape, ref.of.offset+ref.offset, ref.strides)
}

// place sets the offset of s, where the file has room for size bytes.
func (t *torchFile) place(s *storage, offset, size int64) error {
	if size < s.bytes() || offset > t.c.size-s.bytes() {
		return malformed("storage %q takes %d bytes, the file has %d at byte %d: it is truncated or damaged",
			s.key, s.bytes(), min(size, t.c.size-offset), offset)
	}
	s.offset = offset
	return nil
}

// stateDicts are the places where training code puts the weights in a larger
// object.
var stateDicts = [][]string{
	{"state", "model"}, {"state_dict"}, {"model_state_dict"}, {"model"}, {"module"}, {"model_state"}, {"net"}, {"weights"}, {"params"},
}

// stateDict returns the dictionary of tensors in an unpickled object: the first of
// stateDicts in it, or the object itself. The former come first, since training code
// keeps other tensors, such as the state of a random generator, beside them.
func stateDict(value any) (*dict, error) {
	top, ok := value.(*dict)
	if o, is := value.(*object); is {
		return nil, malformed("the file does not hold a dictionary of tensors, but an object of %q: save the state_dict() of the model instead", o.name)
	}
	if !ok {
		return nil, malformed("the file does not hold a dictionary of tensors")
	}
	for _, path := range stateDicts {
		d := top
		for _, key := range path {
			if d != nil {
				d, _ = d.get(key).(*dict)
			}
		}
		if d != nil && d.hasTensors() {
			return d, nil
		}
	}
	if top.hasTensors() {
		return top, nil
	}
	return nil, malformed("there are no tensors in the dictionary, nor in state.model, state_dict or model of it")
}

func (d *dict) hasTensors() bool { return slices.ContainsFunc(d.items, item.isWeight) }

// isWeight reports whether an item of a dictionary of tensors is one, or stands in the
// place of one.
func (it item) isWeight() bool {
	if _, ok := it.value.(*tensorRef); ok {
		return true
	}
	_, skipped := it.value.(*object)
	key, _ := it.key.(string)
	return skipped && (strings.HasSuffix(key, ".weight") || strings.HasSuffix(key, ".bias"))
}
