package mpt

import (
	"fmt"
	"strconv"

	"mptgo/ggml"
	"mptgo/gguf"
	"mptgo/quantize"
)

// loader takes tensors from a file by name and shape and keeps the first
// error.
type loader struct {
	f    *gguf.File
	c    *Config
	used map[string]bool
	err  error
}

// has reports whether the file has a tensor of that name.
func (l *loader) has(name string) bool {
	_, ok := l.f.Tensor(name)
	return ok
}

// tensor returns the tensor with the given name and marks it as used.
func (l *loader) tensor(name string) *gguf.Tensor {
	t, ok := l.f.Tensor(name)
	if !ok {
		l.fail("tensor %q is missing", name)
		return nil
	}
	l.used[name] = true
	return t
}

func (l *loader) fail(format string, args ...any) {
	if l.err == nil {
		l.err = blamed(fmt.Errorf("mpt: %s: "+format, append([]any{l.f.Name()}, args...)...))
	}
}

// matrix returns a tensor of the given shape; any number of rows if rows is 0.
func (l *loader) matrix(name string, rows, cols int) *ggml.Matrix {
	t := l.tensor(name)
	if t == nil || l.err != nil {
		return nil
	}
	if len(t.Shape) != 2 || t.Shape[0] != cols || rows != 0 && t.Shape[1] != rows {
		want := "any number of"
		if rows != 0 {
			want = strconv.Itoa(rows)
		}
		l.fail("tensor %q has shape %v, want %s rows of %d", name, t.Shape, want, cols)
		return nil
	}
	m, err := ggml.NewMatrix(name, t.Type, t.Rows(), cols, t.Data())
	if err != nil {
		l.fail("%w", err)
	}
	return m
}

// optional is vector for a tensor that may be missing: nil.
func (l *loader) optional(name string, n int) []float32 {
	if !l.has(name) {
		return nil
	}
	return l.vector(name, n)
}

// vector returns a copy of a tensor of n values as float32.
func (l *loader) vector(name string, n int) []float32 {
	t := l.tensor(name)
	if t == nil || l.err != nil {
		return nil
	}
	if t.Shape[0] != n || t.Rows() != 1 {
		l.fail("tensor %q has shape %v, want [%d]", name, t.Shape, n)
		return nil
	}
	v := make([]float32, n)
	if err := quantize.DecodeRow(t.Type, v, t.Data()); err != nil {
		l.fail("tensor %q: %w", name, err)
	}
	return v
}
