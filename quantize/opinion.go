package quantize

import (
	"bytes"
	"mptgo/quantize/internal/search"
)

// The better search and the reference try different scales, so either may find the
// better one, for values as those of models are by a little, for constant or alternating
// ones by a lot. Both are asked, and of each block the one with the smaller error stays:
// the better search is never worse on any block, and stores whatever the reference can
// store. This takes as long as both together.

// keepReference puts the reference's blocks in the place of those of the better search
// that have a larger error or cannot be stored.
func keepReference(f *Format, dst []byte, src, weights []float32) {
	n, size := f.Type.Block()
	var reference []byte
	for i := 0; i*n < len(src); i++ {
		x, block := src[i*n:(i+1)*n], dst[i*size:(i+1)*size]
		if f.agree != nil && f.agree(x) {
			continue
		}
		if reference == nil {
			// The row as a whole: some types weigh values by the mean square of their row.
			reference = make([]byte, len(dst))
			f.Encode(reference, src, weights)
		}
		var importance []float32
		if weights != nil {
			importance = weights[i*n : (i+1)*n]
		}
		keepBlock(f, block, reference[i*size:(i+1)*size], x, importance)
	}
}

// keepBlock copies reference to block if its error is smaller or block cannot be stored.
func keepBlock(f *Format, block, reference []byte, x, importance []float32) {
	switch {
	case bytes.Equal(block, reference) || f.bad(reference) >= 0:
	case f.bad(block) >= 0 || blockError(f, reference, x, importance) < blockError(f, block, x, importance):
		copy(block, reference)
	}
}

// blockError is the error of a block as the better search weighs it: the sum of the
// weighted squares of what its values are off.
func blockError(f *Format, block []byte, x, importance []float32) (sum float64) {
	var y, w [256]float32
	search.WeighBetter(w[:len(x)], x, importance)
	f.Decode(y[:len(x)], block)
	for i, v := range x {
		d := float64(y[i]) - float64(v)
		sum += float64(float64(w[i]) * float64(d*d))
	}
	return sum
}
