package convert

import (
	"math"

	"mptgo/gguf"
	"mptgo/mpt/checkpoint"
)

// scales are the two factors of a configuration for which standard GGUF files have
// no key: of the attention scores and of the logits. A power of two is multiplied
// into weights, which is exact and which every reader runs right. Another one
// becomes a key.
type scales struct {
	query      float32 // factor of the query rows
	queryNorm  float32 // factor of the norm of queries
	outputNorm float32 // factor of the last norm, which feeds nothing but the head
	softmax    float32 // the scale of the scores, 0 if readers' default is right
	logit      float32 // the scale of the logits, 0 if there is none
}

// keys returns the factors that were multiplied in, for those who change the weights
// later.
func (s scales) keys() (kv []gguf.KV) {
	for _, x := range []struct {
		key    string
		factor float32
	}{
		{"mpt.ext.query_factor", s.query},
		{"mpt.ext.query_norm_factor", s.queryNorm},
		{"mpt.ext.output_norm_factor", s.outputNorm},
	} {
		if x.factor != 1 {
			kv = append(kv, gguf.KV{Key: x.key, Value: x.factor})
		}
	}
	return kv
}

// maxShift bounds the powers of two that are multiplied in, so that no weight
// leaves the range of the small float types.
const maxShift = 8

func newScales(c *checkpoint.Config) scales {
	s := scales{query: 1, queryNorm: 1, outputNorm: 1}
	usual := 1 / math.Sqrt(float64(c.HeadDim)) // what readers take
	switch factor, ok := powerOfTwo(c.Attn.SoftmaxScale, usual); {
	case ok && factor == 1:
	case ok && (c.Attn.QKLN || c.Attn.QKGN): // nothing but linear steps between the norm and the scale
		s.queryNorm = factor
	case ok && c.Attn.ClipQKV == 0: // clipping comes between the projection and the scale
		s.query = factor
	default:
		s.softmax = float32(c.Attn.SoftmaxScale)
	}
	if factor, ok := powerOfTwo(c.LogitScale, 1); ok {
		s.outputNorm = factor
	} else {
		s.logit = float32(c.LogitScale)
	}
	return s
}

// powerOfTwo returns x/unit if that is a small power of two, with x and unit times
// the power being equal as float32, which is what engines compute with.
func powerOfTwo(x, unit float64) (factor float32, ok bool) {
	shift := int(math.Round(math.Log2(x / unit)))
	if shift < -maxShift || shift > maxShift {
		return 1, false
	}
	return float32(math.Ldexp(1, shift)), float32(math.Ldexp(unit, shift)) == float32(x)
}
