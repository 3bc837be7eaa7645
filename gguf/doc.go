// Package gguf reads and writes GGUF files, the container of ggml models. It
// knows where bytes lie and what they are called; it does no arithmetic on
// them.
//
// # The format
//
// A file is a header and a data section. All numbers are little-endian, and
// nothing in the header is aligned:
//
//	byte  0..3    "GGUF"
//	byte  4..7    uint32 version, 2 or 3, which differ in nothing read here
//	byte  8..15   uint64 number of tensors
//	byte 16..23   uint64 number of keys
//	byte 24..     the keys, each
//	                string  name
//	                uint32  type of the value
//	                value
//	then          the tensors, each
//	                string  name, at most 63 bytes
//	                uint32  number of dimensions, 1 to 4
//	                uint64  each dimension; the first is the length of a row
//	                uint32  [Type]
//	                uint64  offset in the data section
//	then          zeros, to a multiple of the alignment
//	then          the data section: each tensor, zeros to a multiple of the
//	              alignment, the next one
//
// A string is a uint64 length and that many bytes, which are UTF-8 in names and
// may be anything in vocabularies. A value is, by its type,
//
//	0 uint8    3 int16    6 float32   9 array    12 float64
//	1 int8     4 uint32   7 bool     10 uint64
//	2 uint16   5 int32    8 string   11 int64
//
// where a bool is one byte and an array is the uint32 type of its elements, a
// uint64 count, and the elements. Arrays of arrays, which the format has and no
// model uses, are refused.
//
// The alignment is 32 unless the key general.alignment says otherwise.
//
// A model may be split into files PREFIX-00001-of-00003.gguf and so on. Each is
// a complete file; the first one holds the metadata. [Open] takes the first and
// finds the others by name.
//
// # Reading
//
// [Open] maps a file and reads its header only, so that a large model opens in
// milliseconds and its pages are shared between processes. Everything the
// header says is checked against the size of the file before it is used:
// nothing is allocated on the word of a count, and a [Tensor] that exists lies
// inside the file and overlaps no other. What a model needs beyond that, such
// as the presence and shape of its tensors, is for its loader to check.
//
// A mapped file must not be changed while it is open. Where it has become
// shorter, touching the lost part faults; [runtime/debug.SetPanicOnFault] makes
// that a panic which can be recovered, as Open itself does.
//
// # Writing
//
// [Create] starts a file under a temporary name with its final size reserved,
// tensors are written to it in any order, and [Writer.Commit] gives it its name
// when all of it is on the disk. [Encode] makes a small file in memory.
//
// Start with [Open] and [File.Tensor], or [Create] and [Writer.Commit]. This package is stable:
// what it exports changes only with a new major version.
package gguf
