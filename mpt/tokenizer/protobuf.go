package tokenizer

import (
	"encoding/binary"
	"errors"
	"math"
)

// message reads the fields of a protocol buffers message one after the other.
// Of the wire format it knows what sentencepiece writes: no groups.
type message struct {
	rest []byte
	err  error
}

// field is one field: its number, and its value as an integer or as bytes.
type field struct {
	number int
	value  uint64
	bytes  []byte
}

var errProtobuf = errors.New("not a well-formed protocol buffers message")

// next returns the next field; ok is false at the end and after an error.
func (m *message) next() (f field, ok bool) {
	if len(m.rest) == 0 || m.err != nil {
		return f, false
	}
	key := m.varint()
	f.number = int(key >> 3)
	switch key & 7 {
	case 0:
		f.value = m.varint()
	case 1:
		if b := m.take(8); b != nil {
			f.value = binary.LittleEndian.Uint64(b)
		}
	case 2:
		f.bytes = m.take(m.varint())
	case 5:
		if b := m.take(4); b != nil {
			f.value = uint64(binary.LittleEndian.Uint32(b))
		}
	default:
		m.err = errProtobuf
	}
	if f.number == 0 || key>>3 > math.MaxInt32 {
		m.err = errProtobuf
	}
	return f, m.err == nil
}

// take returns the next n bytes.
func (m *message) take(n uint64) []byte {
	if m.err != nil || n > uint64(len(m.rest)) {
		m.err = errProtobuf
		return nil
	}
	b := m.rest[:n:n]
	m.rest = m.rest[n:]
	return b
}

func (m *message) varint() uint64 {
	v, n := binary.Uvarint(m.rest)
	if n <= 0 {
		m.err = errProtobuf
		return 0
	}
	m.rest = m.rest[n:]
	return v
}

// float returns the value of a field of type float.
func (f field) float() float32 { return math.Float32frombits(uint32(f.value)) }
