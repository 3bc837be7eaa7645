package gguf

import (
	"fmt"
	"reflect"
)

// KV is one key of a file's metadata.
//
// Value is a [Scalar] other than int, or a slice of one. It must not be
// modified.
type KV struct {
	Key   string
	Value any
}

// Keys that describe the file itself rather than the model in it.
const (
	KeyAlignment    = "general.alignment"
	KeySplitNo      = "split.no"
	KeySplitCount   = "split.count"
	KeySplitTensors = "split.tensors.count"
)

// Scalar is the type of a single value. No file holds an int; [Get] converts.
type Scalar interface {
	int | uint8 | int8 | uint16 | int16 | uint32 | int32 | uint64 | int64 |
		float32 | float64 | bool | string
}

// Value is the type of a value: a scalar or a slice of scalars.
type Value interface {
	Scalar | []int | []uint8 | []int8 | []uint16 | []int16 | []uint32 | []int32 |
		[]uint64 | []int64 | []float32 | []float64 | []bool | []string
}

// Get returns the value of a key as a T.
//
// Any integer type serves for an integer T that can hold the value, and any
// float type for a float T; the same holds for elements of arrays. A missing
// key and another type are errors that wrap [ErrFormat]. A returned slice must
// not be modified.
func Get[T Value](f *File, key string) (T, error) {
	var zero T
	v, ok := f.Value(key)
	if !ok {
		return zero, f.fault("key %q: missing, want %T", key, zero)
	}
	x, err := convert[T](v)
	if err != nil {
		return zero, f.fault("key %q: %v", key, err)
	}
	return x, nil
}

// GetOr is like [Get] but returns absent if there is no such key.
func GetOr[T Value](f *File, key string, absent T) (T, error) {
	if _, ok := f.Value(key); !ok {
		return absent, nil
	}
	return Get[T](f, key)
}

// fault returns an error about the file as a whole.
func (f *File) fault(format string, args ...any) error {
	return &formatError{f.name, nowhere, fmt.Sprintf(format, args...)}
}

func convert[T Value](v any) (T, error) {
	if x, ok := v.(T); ok {
		return x, nil
	}
	var x T
	dst, src := reflect.ValueOf(&x).Elem(), reflect.ValueOf(v)
	if family(dst.Type()) != family(src.Type()) {
		return x, fmt.Errorf("is %T, want %T", v, x)
	}
	if dst.Kind() == reflect.Slice {
		return x, assignAll(dst, src)
	}
	return x, assign(dst, src)
}

// family names the types that convert to each other.
func family(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "array of " + family(t.Elem())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "integer"
	case reflect.Float32, reflect.Float64:
		return "float"
	}
	return t.String()
}

func assignAll(dst, src reflect.Value) error {
	n := src.Len()
	dst.Set(reflect.MakeSlice(dst.Type(), n, n))
	for i := range n {
		if err := assign(dst.Index(i), src.Index(i)); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	return nil
}

// assign sets dst to src, a number of the same family.
func assign(dst, src reflect.Value) error {
	if !fits(dst, src) {
		return fmt.Errorf("%v does not fit %v", src, dst.Type())
	}
	dst.Set(src.Convert(dst.Type()))
	return nil
}

func fits(dst, src reflect.Value) bool {
	switch {
	case src.CanFloat():
		return !dst.OverflowFloat(src.Float())
	case dst.CanInt() && src.CanInt():
		return !dst.OverflowInt(src.Int())
	case dst.CanInt():
		x := int64(src.Uint())
		return x >= 0 && !dst.OverflowInt(x)
	case src.CanInt():
		x := src.Int()
		return x >= 0 && !dst.OverflowUint(uint64(x))
	}
	return !dst.OverflowUint(src.Uint())
}
