package gguf

import (
	"fmt"
	"math"
	"strings"
)

// Type is a ggml tensor type as numbered in GGUF files.
type Type uint32

// The tensor types that GGUF files hold. The gaps are types that were removed
// from the format; a file that uses one is refused.
const (
	F32     Type = 0
	F16     Type = 1
	Q4_0    Type = 2
	Q4_1    Type = 3
	Q5_0    Type = 6
	Q5_1    Type = 7
	Q8_0    Type = 8
	Q8_1    Type = 9
	Q2_K    Type = 10
	Q3_K    Type = 11
	Q4_K    Type = 12
	Q5_K    Type = 13
	Q6_K    Type = 14
	Q8_K    Type = 15
	IQ2_XXS Type = 16
	IQ2_XS  Type = 17
	IQ3_XXS Type = 18
	IQ1_S   Type = 19
	IQ4_NL  Type = 20
	IQ3_S   Type = 21
	IQ2_S   Type = 22
	IQ4_XS  Type = 23
	I8      Type = 24
	I16     Type = 25
	I32     Type = 26
	I64     Type = 27
	F64     Type = 28
	IQ1_M   Type = 29
	BF16    Type = 30
	TQ1_0   Type = 34
	TQ2_0   Type = 35
	MXFP4   Type = 39
	NVFP4   Type = 40
	Q1_0    Type = 41
	Q2_0    Type = 42
)

// geometry is the shape of one block: how many values it stands for and how
// many bytes it takes.
type geometry struct {
	name   string
	values int
	bytes  int
}

// types is indexed by Type. A new type is one row here; everything that needs
// a size or a name asks this table.
var types = [...]geometry{
	F32:     {"F32", 1, 4},
	F16:     {"F16", 1, 2},
	Q4_0:    {"Q4_0", 32, 18},
	Q4_1:    {"Q4_1", 32, 20},
	Q5_0:    {"Q5_0", 32, 22},
	Q5_1:    {"Q5_1", 32, 24},
	Q8_0:    {"Q8_0", 32, 34},
	Q8_1:    {"Q8_1", 32, 36},
	Q2_K:    {"Q2_K", 256, 84},
	Q3_K:    {"Q3_K", 256, 110},
	Q4_K:    {"Q4_K", 256, 144},
	Q5_K:    {"Q5_K", 256, 176},
	Q6_K:    {"Q6_K", 256, 210},
	Q8_K:    {"Q8_K", 256, 292},
	IQ2_XXS: {"IQ2_XXS", 256, 66},
	IQ2_XS:  {"IQ2_XS", 256, 74},
	IQ3_XXS: {"IQ3_XXS", 256, 98},
	IQ1_S:   {"IQ1_S", 256, 50},
	IQ4_NL:  {"IQ4_NL", 32, 18},
	IQ3_S:   {"IQ3_S", 256, 110},
	IQ2_S:   {"IQ2_S", 256, 82},
	IQ4_XS:  {"IQ4_XS", 256, 136},
	I8:      {"I8", 1, 1},
	I16:     {"I16", 1, 2},
	I32:     {"I32", 1, 4},
	I64:     {"I64", 1, 8},
	F64:     {"F64", 1, 8},
	IQ1_M:   {"IQ1_M", 256, 56},
	BF16:    {"BF16", 1, 2},
	TQ1_0:   {"TQ1_0", 256, 54},
	TQ2_0:   {"TQ2_0", 256, 66},
	MXFP4:   {"MXFP4", 32, 17},
	NVFP4:   {"NVFP4", 64, 36},
	Q1_0:    {"Q1_0", 128, 18},
	Q2_0:    {"Q2_0", 64, 18},
}

// Valid reports whether t is a type that this package knows.
func (t Type) Valid() bool { return uint64(t) < uint64(len(types)) && types[t].values != 0 }

// String returns ggml's name of t, such as "Q4_0", or "type(N)" if t is unknown.
func (t Type) String() string {
	if !t.Valid() {
		return fmt.Sprintf("type(%d)", uint32(t))
	}
	return types[t].name
}

// Block returns the number of values in a block of t and the bytes it takes.
// It panics if t is not valid.
func (t Type) Block() (values, bytes int) {
	g := types[t]
	if g.values == 0 {
		panic("gguf: Block of unknown " + t.String())
	}
	return g.values, g.bytes
}

// RowBytes returns the size in bytes of a row of n values of type t, or an
// error if n is negative, not a multiple of the block or too large. It panics if
// t is not valid.
func (t Type) RowBytes(n int) (int, error) {
	values, bytes := t.Block()
	if n < 0 || n%values != 0 {
		return 0, fmt.Errorf("gguf: a row of %d values does not divide into %v blocks of %d", n, t, values)
	}
	if n/values > math.MaxInt/bytes {
		return 0, fmt.Errorf("gguf: a row of %d values of type %v is too large", n, t)
	}
	return n / values * bytes, nil
}

// ParseType returns the type with the given name; case does not matter.
func ParseType(name string) (Type, error) {
	for t, g := range types {
		if g.values != 0 && strings.EqualFold(g.name, name) {
			return Type(t), nil
		}
	}
	return 0, fmt.Errorf("gguf: unknown tensor type %q", name)
}
