package gguf

import (
	"cmp"
	"fmt"
	"slices"
)

const (
	magic        = "GGUF"
	alignDefault = 32
	minHeader    = 24 // bytes of a file without keys and tensors
	minKV        = 14 // bytes: name of one byte, type, value of one byte
	minTensor    = 33 // bytes: name of one byte, one dimension
)

// placed is a tensor and what the header says about its place.
type placed struct {
	*Tensor
	at     int    // where the header describes it
	offset uint64 // in the data section
}

// parse reads the header of the file b and checks it against b.
func parse(name string, b []byte) (*File, error) {
	f := &File{name: name, size: int64(len(b)), keys: map[string]int{}, byName: map[string]*Tensor{}}
	d := &decoder{file: name, b: b[:min(len(b), maxHeader)]}
	f.version = d.version()
	tensors := d.count(minTensor, maxTensors, "tensors")
	keys := d.count(minKV, maxKeys, "keys")
	align := d.metadata(f, keys)
	infos := d.tensors(f, tensors)
	d.place(infos, b, align)
	d.overlap(infos)
	if d.err != nil {
		return nil, d.err
	}
	return f, nil
}

// version reads magic and version.
func (d *decoder) version() uint32 {
	if len(d.b) < len(magic) || string(d.b[:len(magic)]) != magic {
		d.fail("%s", notGGUF(d.b))
		return 0
	}
	if len(d.b) < minHeader {
		d.failAt(len(d.b), "the file ends inside the header, which has at least %d bytes", minHeader)
		return 0
	}
	d.take(len(magic), "magic")
	at := d.off
	v := d.uint32("version")
	switch {
	case v == 2 || v == 3:
	case v == 1:
		d.failAt(at, "version 1 is not supported: convert the model again from its checkpoint")
	case v != 0 && v&0xffff == 0:
		d.failAt(at, "big-endian files are not supported: convert the model again for little-endian machines")
	default:
		d.failAt(at, "version %d is not supported: only 2 and 3 are", v)
	}
	return v
}

// metadata reads n keys into f and returns the alignment of its tensors.
func (d *decoder) metadata(f *File, n int) (align uint64) {
	align = alignDefault
	for range n {
		at := d.off
		key := d.string(maxKey, "key")
		if _, dup := f.keys[key]; dup {
			d.failAt(at, "key %q appears twice", key)
		}
		if key == "" {
			d.failAt(at, "empty key")
		}
		d.subject = fmt.Sprintf("key %q: ", key)
		v := d.value()
		if key == KeyAlignment {
			align = d.alignment(at, v)
		}
		d.subject = ""
		if d.err != nil {
			return 0
		}
		f.keys[key] = len(f.meta)
		f.meta = append(f.meta, KV{key, v})
	}
	return align
}

// alignment checks v, the value of the key at byte at.
func (d *decoder) alignment(at int, v any) uint64 {
	a, ok := v.(uint32)
	switch {
	case !ok:
		d.failAt(at, "is %T, want uint32", v)
	case a < 8 || a > maxAlign || a&(a-1) != 0:
		d.failAt(at, "%d: want a power of two from 8 to %d", a, maxAlign)
	}
	return uint64(a)
}

// tensors reads the descriptions of n tensors into f.
func (d *decoder) tensors(f *File, n int) []placed {
	var infos []placed
	for range n {
		t := d.tensor()
		if f.byName[t.Name] != nil {
			d.failAt(t.at, "tensor %q appears twice", t.Name)
		}
		if d.err != nil {
			return nil
		}
		f.byName[t.Name] = t.Tensor
		f.tensors = append(f.tensors, t.Tensor)
		infos = append(infos, t)
	}
	return infos
}

// tensor reads the description of one tensor.
func (d *decoder) tensor() placed {
	at := d.off
	name := d.string(maxName, "tensor name")
	if name == "" {
		d.failAt(at, "empty tensor name")
	}
	d.subject = fmt.Sprintf("tensor %q: ", name)
	defer func() { d.subject = "" }()
	ne := d.dims()
	typ := Type(d.uint32("type"))
	offset := d.uint64("offset")
	size := 0
	if d.err == nil {
		var err error
		if size, err = sizeOf(typ, ne); err != nil {
			d.failAt(at, "%v", err)
		}
	}
	return placed{&Tensor{Name: name, Type: typ, Shape: ne, file: d.file, size: size}, at, offset}
}

// place finds the bytes of the tensors in b.
func (d *decoder) place(infos []placed, b []byte, align uint64) {
	if d.err != nil || len(infos) == 0 {
		return
	}
	start := alignUp(uint64(d.off), align)
	if start > uint64(len(b)) {
		d.fail("the tensor data would begin at byte %d of a file of %d: the file is not complete", start, len(b))
		return
	}
	data := b[start:]
	room := uint64(len(data))
	for _, t := range infos {
		switch {
		case t.offset%align != 0:
			d.failAt(t.at, "tensor %q: offset %d is not a multiple of the alignment %d", t.Name, t.offset, align)
			return
		case t.offset > room || uint64(t.size) > room-t.offset:
			d.failAt(t.at, "tensor %q: %d bytes at offset %d of a data section of %d: the file is not complete or the offset is wrong",
				t.Name, t.size, t.offset, room)
			return
		}
		end := int(t.offset) + t.size
		t.data = data[t.offset:end:end]
	}
}

// overlap checks that no two tensors share a byte. Gaps are legal.
func (d *decoder) overlap(infos []placed) {
	if d.err != nil {
		return
	}
	slices.SortFunc(infos, func(a, b placed) int { return cmp.Compare(a.offset, b.offset) })
	for i := 1; i < len(infos); i++ {
		a, b := infos[i-1], infos[i]
		if a.offset+uint64(a.size) > b.offset {
			d.failAt(b.at, "tensor %q overlaps tensor %q", b.Name, a.Name)
			return
		}
	}
}

// alignUp rounds n, which is far from overflow, up to a multiple of align, a
// power of two.
func alignUp(n, align uint64) uint64 { return (n + align - 1) &^ (align - 1) }
