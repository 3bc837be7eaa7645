package data

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// compact walks over a value in Thrift's compact protocol. Parquet's library allocates what sizes in it
// promise, so they are looked at first: nothing may be longer than the bytes that are left.
//
// The protocol: a structure is fields up to a zero byte. A field begins with a byte, difference to the last
// field's number << 4 | type; a difference of 0 is followed by the number. Numbers are zigzag varints.
type compact struct {
	b        []byte // that are left
	elements int    // of lists and maps so far
	// visit is told of all integers in the outer structure, as outer 0, and in those that are its fields.
	visit func(outer, field int, v int64)
}

// The types of values.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12

	maxThriftDepth    = 16
	maxThriftElements = 1 << 19 // of lists; a column in a row group takes a dozen
)

var errThrift = errors.New("it ends too early, or promises more than there is")

func (c *compact) byte() (byte, error) {
	if len(c.b) == 0 {
		return 0, errThrift
	}
	b := c.b[0]
	c.b = c.b[1:]
	return b, nil
}

func (c *compact) uvarint() (uint64, error) {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		return 0, errThrift
	}
	c.b = c.b[n:]
	return v, nil
}

func (c *compact) varint() (int64, error) {
	v, err := c.uvarint()
	return int64(v>>1) ^ -int64(v&1), err
}

// skip passes over bytes.
func (c *compact) skip(n uint64) error {
	if n > uint64(len(c.b)) {
		return errThrift
	}
	c.b = c.b[n:]
	return nil
}

// structure walks over one that is the field outer, at a depth.
func (c *compact) structure(outer, depth int) error {
	if depth > maxThriftDepth {
		return fmt.Errorf("structures nested deeper than %d", maxThriftDepth)
	}
	for field := 0; ; {
		head, err := c.byte()
		if err != nil || head == 0 {
			return err
		}
		if field += int(head >> 4); head>>4 == 0 {
			id, err := c.varint()
			if err != nil || id < 0 || id > 1<<15 {
				return errThrift
			}
			field = int(id)
		}
		if err := c.value(head&15, outer, field, depth); err != nil {
			return err
		}
	}
}

// value walks over the value of a field.
func (c *compact) value(kind byte, outer, field, depth int) error {
	switch {
	case kind == thriftTrue || kind == thriftFalse:
		return nil
	case kind == thriftByte:
		return c.skip(1)
	case kind >= thriftI16 && kind <= thriftI64:
		v, err := c.varint()
		if err == nil && depth <= 1 {
			c.visit(outer, field, v)
		}
		return err
	case kind == thriftDouble:
		return c.skip(8)
	case kind == thriftBinary:
		n, err := c.uvarint()
		return errors.Join(err, c.skip(n))
	case kind == thriftList || kind == thriftSet:
		return c.list(depth)
	case kind == thriftMap:
		return c.table(depth)
	case kind == thriftStruct:
		return c.structure(field, depth+1)
	}
	return fmt.Errorf("a value of type %d", kind)
}

// items walks over n values of kinds, which take a byte each at least.
func (c *compact) items(n uint64, depth int, kinds ...byte) error {
	if n > uint64(len(c.b)) {
		return errThrift
	}
	if c.elements += int(n); c.elements > maxThriftElements {
		return fmt.Errorf("more than %d elements", maxThriftElements)
	}
	for range n {
		for _, k := range kinds {
			if k == thriftTrue || k == thriftFalse {
				k = thriftByte // in lists they have a byte of their own
			}
			if err := c.value(k, -1, -1, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *compact) list(depth int) error {
	head, err := c.byte()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 15 {
		if n, err = c.uvarint(); err != nil {
			return err
		}
	}
	if depth > maxThriftDepth {
		return fmt.Errorf("lists nested deeper than %d", maxThriftDepth)
	}
	return c.items(n, depth, head&15)
}

func (c *compact) table(depth int) error {
	n, err := c.uvarint()
	if err != nil || n == 0 {
		return err
	}
	kinds, err := c.byte()
	if err != nil {
		return err
	}
	if depth > maxThriftDepth {
		return fmt.Errorf("maps nested deeper than %d", maxThriftDepth)
	}
	return c.items(n, depth, kinds>>4, kinds&15)
}
