package quantize

import (
	"fmt"

	"mptgo/gguf"
)

// Format is the meaning of one tensor type. Its functions do not check lengths
// beyond what Go does and are safe for concurrent use; [EncodeRows], [DecodeRow]
// and [CheckFinite] are the checked ways in.
type Format struct {
	Type gguf.Type

	// Encode writes one whole row, src, to dst. Weights is nil or holds the
	// importance of each value. Source and weights must be finite. Encode is
	// nil for a type that cannot be written.
	Encode func(dst []byte, src, weights []float32)

	// Decode sets dst to the values of the len(dst) / block blocks in src.
	Decode func(dst []float32, src []byte)

	// bad returns the index of the first block in src that stands for a value
	// that is not finite, or -1.
	bad func(src []byte) int
}

// formats is indexed by gguf.Type. A new format is a new file and one row here.
var formats = [...]*Format{
	gguf.F32:  &f32,
	gguf.F16:  &f16,
	gguf.BF16: &bf16,
	gguf.Q4_0: &q4_0,
	gguf.Q4_1: &q4_1,
	gguf.Q5_0: &q5_0,
	gguf.Q5_1: &q5_1,
	gguf.Q8_0: &q8_0,
	gguf.Q6_K: &q6_K,
}

// Lookup returns the format of type t if this package knows it.
func Lookup(t gguf.Type) (*Format, bool) {
	if int(t) >= len(formats) || formats[t] == nil {
		return nil, false
	}
	return formats[t], true
}

// Formats returns all formats in the order of their types.
func Formats() []*Format {
	var all []*Format
	for _, f := range formats {
		if f != nil {
			all = append(all, f)
		}
	}
	return all
}

// lookup is Lookup with an error that names the type.
func lookup(t gguf.Type) (*Format, error) {
	if f, ok := Lookup(t); ok {
		return f, nil
	}
	return nil, fmt.Errorf("quantize: %v: a tensor of this type cannot be converted", t)
}
