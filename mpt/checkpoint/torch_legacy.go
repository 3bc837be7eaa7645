package checkpoint

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const legacyProtocol = 1001

// readLegacy reads the container of torch before 1.6, a stream of
//
//	pickle   the magic number
//	pickle   the protocol, 1001
//	pickle   {"little_endian": True, ...}
//	pickle   the object
//	pickle   [KEY, ...]
//	         for each key: the number of elements as 8 bytes, then the elements
func (t *torchFile) readLegacy() error {
	s := &stream{r: bufio.NewReader(io.NewSectionReader(t.c.r, 0, t.c.size)), size: t.c.size}
	s.next(nil)
	protocol, _ := s.next(nil).(int64)
	system, _ := s.next(nil).(*dict)
	object := s.next(t.persist)
	keys, ok := s.next(nil).(*list)
	if s.err != nil {
		return s.err
	}
	if protocol != legacyProtocol {
		return fmt.Errorf("legacy file of protocol %d, not %d: %w", protocol, legacyProtocol, errors.ErrUnsupported)
	}
	if system == nil || system.get("little_endian") != true {
		return fmt.Errorf("the file does not say that it is little-endian: %w", errors.ErrUnsupported)
	}
	if !ok {
		return malformed("there is no list of storages")
	}
	if err := t.placeStorages(keys.items, s.pos); err != nil {
		return err
	}
	return t.addTensors(object, func(s *storage) error {
		return malformed("storage %q is not in the file", s.key)
	})
}

// stream reads pickles that follow each other; err is the first error.
type stream struct {
	r    io.Reader
	pos  int64
	size int64
	err  error
}

func (s *stream) next(persist func(tuple) (any, error)) any {
	if s.err != nil {
		return nil
	}
	v, n, err := unpickle(s.r, s.size-s.pos, persist)
	if err != nil {
		s.err = fmt.Errorf("at byte %d: %w", s.pos, err)
	}
	s.pos += n
	return v
}

// placeStorages walks over the storages, which start at byte pos.
func (t *torchFile) placeStorages(keys []any, pos int64) error {
	for _, k := range keys {
		key, _ := k.(string)
		s := t.storages[key]
		if s == nil || s.offset >= 0 {
			return malformed("the list of storages names %q, which no tensor uses or which comes twice", key)
		}
		if t.c.size-pos < 8 {
			return malformed("the file is truncated before storage %q", key)
		}
		var count [8]byte
		if err := t.c.readFull(count[:], pos); err != nil {
			return err
		}
		if n := binary.LittleEndian.Uint64(count[:]); n != uint64(s.count) {
			return malformed("storage %q has %d elements, its tensors expect %d", key, n, s.count)
		}
		pos += 8
		if err := t.place(s, pos, t.c.size-pos); err != nil {
			return err
		}
		pos += s.bytes()
	}
	return nil
}
