package gguf

import (
	"encoding/binary"
	"slices"
)

// forge puts together the bytes of a file, right or wrong, without the encoder.
// Its methods return b with something appended.
type forge []byte

func head(version uint32, tensors, keys uint64) forge {
	return forge("GGUF").u32(version).u64(tensors, keys)
}

func (b forge) u8(v ...byte) forge { return append(slices.Clip(b), v...) }

func (b forge) u32(v ...uint32) forge {
	b = slices.Clip(b)
	for _, v := range v {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

func (b forge) u64(v ...uint64) forge {
	b = slices.Clip(b)
	for _, v := range v {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

func (b forge) str(s string) forge { return append(b.u64(uint64(len(s))), s...) }

// key appends the name and type of a key.
func (b forge) key(name string, typ valueType) forge { return b.str(name).u32(uint32(typ)) }

// array appends the name of a key and the head of its array.
func (b forge) array(name string, elem valueType, n uint64) forge {
	return b.key(name, typeArray).u32(uint32(elem)).u64(n)
}

// tensor appends the description of a tensor.
func (b forge) tensor(name string, t Type, offset uint64, ne ...uint64) forge {
	return b.str(name).u32(uint32(len(ne))).u64(ne...).u32(uint32(t)).u64(offset)
}

// data appends the padding to align and n bytes 1, 2, 3...
func (b forge) data(align, n int) forge {
	b = slices.Clip(b)
	for len(b)%align != 0 {
		b = append(b, 0)
	}
	for i := range n {
		b = append(b, byte(i+1))
	}
	return b
}
