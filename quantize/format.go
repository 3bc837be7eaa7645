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

	// better is Encode with a search for codes that make a smaller error, nil
	// for types that have none.
	better func(dst []byte, src, weights []float32)

	// agree reports that for the values of a block both searches write the same
	// bytes; nil if that is never known.
	agree func(x []float32) bool

	// grid is how blocks are improved with a [Feedback], nil for types whose values
	// are not chosen one by one.
	grid *grid

	// bad returns the index of the first block in src that stands for a value
	// that is not finite, or -1.
	bad func(src []byte) int
}

// formats is indexed by gguf.Type. A new format is a new file and one row here.
var formats = [...]*Format{
	gguf.F32:     &f32,
	gguf.F16:     &f16,
	gguf.Q4_0:    &q4_0,
	gguf.Q4_1:    &q4_1,
	gguf.Q5_0:    &q5_0,
	gguf.Q5_1:    &q5_1,
	gguf.Q8_0:    &q8_0,
	gguf.Q2_K:    &q2_K,
	gguf.Q3_K:    &q3_K,
	gguf.Q4_K:    &q4_K,
	gguf.Q5_K:    &q5_K,
	gguf.Q6_K:    &q6_K,
	gguf.IQ2_XXS: &iq2_XXS,
	gguf.IQ2_XS:  &iq2_XS,
	gguf.IQ3_XXS: &iq3_XXS,
	gguf.IQ1_S:   &iq1_S,
	gguf.IQ4_NL:  &iq4_NL,
	gguf.IQ3_S:   &iq3_S,
	gguf.IQ2_S:   &iq2_S,
	gguf.IQ4_XS:  &iq4_XS,
	gguf.IQ1_M:   &iq1_M,
	gguf.BF16:    &bf16,
	gguf.TQ1_0:   &tq1_0,
	gguf.TQ2_0:   &tq2_0,
	gguf.MXFP4:   &mxfp4,
	gguf.NVFP4:   &nvfp4,
	gguf.Q1_0:    &q1_0,
	gguf.Q2_0:    &q2_0,
}

// Lookup returns the format of type t if this package knows it.
func Lookup(t gguf.Type) (*Format, bool) {
	if uint64(t) >= uint64(len(formats)) || formats[t] == nil {
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
