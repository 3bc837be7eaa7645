package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// mdsEncoding returns what decodes the values of an encoding of MDS.
func mdsEncoding(name string) (func([]byte) (any, error), error) {
	if decode := mdsScalars[name]; decode != nil {
		return decode, nil
	}
	kind, rest, _ := strings.Cut(name, ":")
	switch kind {
	case "ndarray":
		return ndarray(rest)
	case "pkl":
		return nil, errors.New("encoding pkl is refused: it may run any program")
	}
	return nil, fmt.Errorf("encoding %q is not supported: texts, bytes, json, numbers and ndarray are", shorten(name, 40))
}

// mdsScalars are the encodings without parameters.
var mdsScalars = map[string]func([]byte) (any, error){
	"str": func(b []byte) (any, error) {
		if !utf8.Valid(b) {
			return nil, errors.New("it is not UTF-8")
		}
		return string(b), nil
	},
	"bytes":       func(b []byte) (any, error) { return bytes.Clone(b), nil },
	"json":        parseJSON,
	"int":         scalar("int64"),
	"int8":        scalar("int8"),
	"int16":       scalar("int16"),
	"int32":       scalar("int32"),
	"int64":       scalar("int64"),
	"uint8":       scalar("uint8"),
	"uint16":      scalar("uint16"),
	"uint32":      scalar("uint32"),
	"uint64":      scalar("uint64"),
	"float16":     ignored(2),
	"float32":     ignored(4),
	"float64":     ignored(8),
	"str_int":     func(b []byte) (any, error) { return strconv.ParseInt(string(b), 10, 64) },
	"str_float":   func(b []byte) (any, error) { return strconv.ParseFloat(string(b), 64) },
	"str_decimal": func(b []byte) (any, error) { return string(b), nil },
}

// ignored is for numbers that are no part of any kind of row: only their size is looked at.
func ignored(size int) func([]byte) (any, error) {
	return func(b []byte) (any, error) {
		if len(b) != size {
			return nil, fmt.Errorf("%d bytes: want %d", len(b), size)
		}
		return "a float", nil
	}
}

func scalar(dtype string) func([]byte) (any, error) {
	return func(b []byte) (any, error) {
		list, err := integers(dtype, b)
		if err != nil {
			return nil, err
		}
		if len(list) != 1 {
			return nil, fmt.Errorf("%d bytes: want one %s", len(b), dtype)
		}
		return list[0], nil
	}
}

// dtypes are the types of arrays that can be ids, by the codes that stand before values.
var dtypes = map[byte]string{8: "uint8", 9: "int8", 16: "uint16", 17: "int16", 32: "uint32", 33: "int32", 64: "uint64", 65: "int64"}

// integers decodes little-endian numbers.
func integers(dtype string, b []byte) ([]int64, error) {
	bits, err := strconv.Atoi(strings.TrimLeft(dtype, "uint"))
	if err != nil {
		return nil, fmt.Errorf("values of type %s are no integers", shorten(dtype, 40))
	}
	size := bits / 8
	if len(b)%size != 0 {
		return nil, fmt.Errorf("%d bytes are no number of values of %d bytes", len(b), size)
	}
	list := make([]int64, len(b)/size)
	for i := range list {
		var word [8]byte
		copy(word[:], b[i*size:(i+1)*size])
		u := binary.LittleEndian.Uint64(word[:])
		if dtype[0] == 'i' {
			list[i] = int64(u<<(64-bits)) >> (64 - bits)
			continue
		}
		if u > math.MaxInt64 {
			return nil, fmt.Errorf("the number %d is too large", u)
		}
		list[i] = int64(u)
	}
	return list, nil
}

// ndarray returns the decoder of "ndarray[:DTYPE[:D0,D1...]]", of integers with one dimension.
func ndarray(parameters string) (func([]byte) (any, error), error) {
	dtype, dims, hasShape := strings.Cut(parameters, ":")
	if dtype != "" && !slices.Contains([]string{"uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"}, dtype) {
		return nil, fmt.Errorf("an ndarray of %s is not supported: of integers it is", shorten(dtype, 40))
	}
	want := int64(-1)
	if hasShape {
		n, err := strconv.ParseUint(dims, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("an ndarray of shape %s is not supported: one dimension is", shorten(dims, 40))
		}
		want = int64(n)
	}
	return func(b []byte) (any, error) { return decodeArray(b, dtype, want) }, nil
}

// decodeArray decodes an array whose type stands first if it is not given, and then its shape if
// the number of values, want, is not.
func decodeArray(b []byte, dtype string, want int64) (any, error) {
	if dtype == "" {
		if len(b) == 0 {
			return nil, errors.New("its type is missing")
		}
		if dtype = dtypes[b[0]]; dtype == "" {
			return nil, fmt.Errorf("values of type %d are no integers", b[0])
		}
		b = b[1:]
	}
	if want < 0 {
		if len(b) == 0 {
			return nil, errors.New("its shape is missing")
		}
		head := b[0]
		b = b[1:]
		size := 1 << (head & 3)
		if head>>2 != 1 {
			return nil, fmt.Errorf("it has %d dimensions: want one", head>>2)
		}
		if len(b) < size {
			return nil, errors.New("it ends within its shape")
		}
		n, err := integers("uint"+strconv.Itoa(8*size), b[:size])
		if err != nil {
			return nil, err
		}
		want, b = n[0], b[size:]
	}
	list, err := integers(dtype, b)
	if err == nil && int64(len(list)) != want {
		err = fmt.Errorf("it has %d values, and %d by its shape", len(list), want)
	}
	return list, err
}
