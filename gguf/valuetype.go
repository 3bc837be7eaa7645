package gguf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
)

// valueType is the type of a value as numbered in files.
type valueType uint32

const (
	typeUint8 valueType = iota
	typeInt8
	typeUint16
	typeInt16
	typeUint32
	typeInt32
	typeFloat32
	typeBool
	typeString
	typeArray
	typeUint64
	typeInt64
	typeFloat64
)

// values is indexed by valueType. The array has no decoders: its elements do.
var values = [...]struct {
	min    int // the fewest bytes that a value takes
	scalar func(*decoder) any
	array  func(d *decoder, n int) any
}{
	typeUint8:   {1, number[uint8], numbers[uint8]},
	typeInt8:    {1, number[int8], numbers[int8]},
	typeUint16:  {2, number[uint16], numbers[uint16]},
	typeInt16:   {2, number[int16], numbers[int16]},
	typeUint32:  {4, number[uint32], numbers[uint32]},
	typeInt32:   {4, number[int32], numbers[int32]},
	typeFloat32: {4, number[float32], numbers[float32]},
	typeBool:    {1, number[bool], numbers[bool]},
	typeString:  {8, text, texts},
	typeArray:   {12, nil, nil},
	typeUint64:  {8, number[uint64], numbers[uint64]},
	typeInt64:   {8, number[int64], numbers[int64]},
	typeFloat64: {8, number[float64], numbers[float64]},
}

// number reads one T. As in ggml, every byte but 0 is true.
func number[T any](d *decoder) any {
	var x T
	d.decode(binary.Size(x), &x)
	return x
}

// numbers reads n elements; that they fit the file has been checked.
func numbers[T any](d *decoder, n int) any {
	x := make([]T, n)
	d.decode(binary.Size(x), x)
	return x
}

func text(d *decoder) any { return d.string(maxText, "string") }

func texts(d *decoder, n int) any { return d.strings(n) }

// typeOf returns the type of v, or of its elements if it is an array.
func typeOf(v any) (t valueType, array bool, err error) {
	switch v.(type) {
	case uint8, []uint8:
		t = typeUint8
	case int8, []int8:
		t = typeInt8
	case uint16, []uint16:
		t = typeUint16
	case int16, []int16:
		t = typeInt16
	case uint32, []uint32:
		t = typeUint32
	case int32, []int32:
		t = typeInt32
	case float32, []float32:
		t = typeFloat32
	case bool, []bool:
		t = typeBool
	case string, []string:
		t = typeString
	case uint64, []uint64:
		t = typeUint64
	case int64, []int64:
		t = typeInt64
	case float64, []float64:
		t = typeFloat64
	case int, []int:
		return 0, false, errors.New("an int has no size in a file: use int32, uint32 or a 64-bit type")
	default:
		return 0, false, fmt.Errorf("a %T cannot be stored", v)
	}
	return t, reflect.TypeOf(v).Kind() == reflect.Slice, nil
}
