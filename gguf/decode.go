package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Limits on what a header may claim. They are far above any model and keep a
// forged file from using more memory or time than a real one.
const (
	maxKeys     = 1 << 16
	maxTensors  = 1 << 20
	maxKey      = 1<<16 - 1 // bytes
	maxName     = 63        // bytes, as in ggml
	maxText     = 64 << 20  // bytes
	maxElements = 1 << 24
	maxHeader   = 1 << 30 // bytes
	maxDims     = 4
	maxAlign    = 64 << 10
)

// decoder reads a header from front to back. The first error stays: what is
// read after it is zero.
type decoder struct {
	file    string
	b       []byte
	off     int
	subject string // what the bytes at off belong to, for errors
	err     error
}

func (d *decoder) fail(format string, args ...any) { d.failAt(d.off, format, args...) }

func (d *decoder) failAt(at int, format string, args ...any) {
	if d.err == nil {
		d.err = &formatError{d.file, at, d.subject + fmt.Sprintf(format, args...)}
	}
}

// room returns the number of bytes left.
func (d *decoder) room() uint64 { return uint64(len(d.b) - d.off) }

// take returns the next n bytes, or nil after an error.
func (d *decoder) take(n int, what string) []byte {
	if d.err == nil && uint64(n) > d.room() {
		d.fail("%s of %d bytes: the file ends after %d", what, n, d.room())
	}
	if d.err != nil {
		return nil
	}
	p := d.b[d.off : d.off+n]
	d.off += n
	return p
}

// decode reads n bytes into x, which encoding/binary knows to be n bytes long.
func (d *decoder) decode(n int, x any) {
	if p := d.take(n, "value"); p != nil {
		if _, err := binary.Decode(p, binary.LittleEndian, x); err != nil {
			d.failAt(d.off-n, "%v", err)
		}
	}
}

func (d *decoder) uint32(what string) uint32 {
	p := d.take(4, what)
	if p == nil {
		return 0
	}
	return binary.LittleEndian.Uint32(p)
}

func (d *decoder) uint64(what string) uint64 {
	p := d.take(8, what)
	if p == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(p)
}

// count reads the number of things that take at least min bytes each.
func (d *decoder) count(min int, limit uint64, what string) int {
	at := d.off
	n := d.uint64("number of " + what)
	switch {
	case n > limit:
		d.failAt(at, "%d %s: the limit is %d", n, what, limit)
		return 0
	case n > d.room()/uint64(min):
		d.failAt(at, "%d %s do not fit in the %d bytes that are left", n, what, d.room())
		return 0
	}
	return int(n)
}

// bytes reads a string and returns it in place.
func (d *decoder) bytes(limit uint64, what string) []byte {
	at := d.off
	n := d.uint64("length of a string")
	switch {
	case n > d.room():
		d.failAt(at, "%s of %d bytes: only %d are left", what, n, d.room())
		return nil
	case n > limit:
		d.failAt(at, "%s of %d bytes: the limit is %d", what, n, limit)
		return nil
	}
	return d.take(int(n), what)
}

// string returns a copy, since a mapping ends when its file is closed.
func (d *decoder) string(limit uint64, what string) string {
	return string(d.bytes(limit, what))
}

// strings reads n strings. They share one copy of the array, length prefixes
// included: a vocabulary costs two allocations and not fifty thousand.
func (d *decoder) strings(n int) []string {
	start := d.off
	for range n {
		d.bytes(maxText, "string")
		if d.err != nil {
			return nil
		}
	}
	all := string(d.b[start:d.off])
	list := make([]string, n)
	off := 0
	for i := range list {
		size := int(binary.LittleEndian.Uint64(d.b[start+off:]))
		off += 8
		list[i] = all[off : off+size]
		off += size
	}
	return list
}

// value reads the type of a value and the value.
func (d *decoder) value() any {
	t := d.valueType("value")
	if t == typeArray {
		return d.array()
	}
	if d.err != nil {
		return nil
	}
	return values[t].scalar(d)
}

func (d *decoder) array() any {
	at := d.off
	t := d.valueType("element")
	if t == typeArray {
		d.failAt(at, "arrays of arrays are not supported")
	}
	n := d.count(values[t].min, maxElements, "elements")
	if d.err != nil {
		return nil
	}
	return values[t].array(d, n)
}

// valueType reads a type; after an error it returns 0.
func (d *decoder) valueType(of string) valueType {
	at := d.off
	t := d.uint32(of + " type")
	if t >= uint32(len(values)) {
		d.failAt(at, "unknown %s type %d", of, t)
		return 0
	}
	return valueType(t)
}

// dims reads the shape of a tensor.
func (d *decoder) dims() []int {
	at := d.off
	n := d.uint32("number of dimensions")
	if d.err == nil && (n < 1 || n > maxDims) {
		d.failAt(at, "%d dimensions: want 1 to %d", n, maxDims)
	}
	if d.err != nil {
		return nil
	}
	ne := make([]int, n)
	for i := range ne {
		at = d.off
		v := d.uint64("dimension")
		if d.err == nil && (v < 1 || v > math.MaxInt) {
			d.failAt(at, "dimension %d is %d: want 1 to %d", i, v, math.MaxInt)
		}
		ne[i] = int(v)
	}
	return ne
}
