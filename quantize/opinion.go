package quantize

import (
	"math"
	"math/bits"

	"mptgo/gguf"
)

// The better search and the reference try different scales, so either may find the
// better one. Where values are spread out, as those of models are, the search hardly
// ever loses anything that matters, and to ask the reference too takes several times
// as long. Where they are not, only the rounding of a scale may be left to decide, and
// there the search can be many times worse: blocks of few values, of zeros, of an
// outlier, of an offset with little around it, of values in order, and tiny ones. For
// such blocks both are asked, and the one with the smaller error stays.

// keepReference puts the reference's blocks in the place of those of the better search
// that have a larger error or cannot be stored.
func keepReference(f *Format, dst []byte, src, weights []float32) {
	n, size := f.Type.Block()
	b := opinion{f: f, always: n < 256 && weights == nil && f.Type != gguf.IQ4_NL}
	for i := 0; i*n < len(src); i++ {
		x, block := src[i*n:(i+1)*n], dst[i*size:(i+1)*size]
		if b.always || peculiar(x) || f.bad(block) >= 0 {
			b.choose(dst, src, weights, i)
		}
	}
}

// opinion is the reference's opinion on a row.
type opinion struct {
	f      *Format
	always bool   // the reference takes next to nothing
	row    []byte // what it makes of the row, or nil as long as nobody asked
}

// choose keeps the reference's block i if it is the better one.
func (b *opinion) choose(dst []byte, src, weights []float32, i int) {
	if b.row == nil {
		b.row = make([]byte, len(dst))
		if b.ofRow() && weights != nil {
			b.f.Encode(b.row, src, weights)
		}
	}
	n, size := b.f.Type.Block()
	x, block, reference := src[i*n:(i+1)*n], dst[i*size:(i+1)*size], b.row[i*size:(i+1)*size]
	var importance []float32
	if weights != nil {
		importance = weights[i*n : (i+1)*n]
	}
	if !b.ofRow() || weights == nil {
		b.f.Encode(reference, x, importance)
	}
	if b.f.bad(reference) >= 0 {
		return
	}
	if b.f.bad(block) >= 0 || blockError(b.f, reference, x, importance) < blockError(b.f, block, x, importance) {
		copy(block, reference)
	}
}

// ofRow reports whether the reference weighs values by the mean square of their row, so
// that a block by itself would become another.
func (b *opinion) ofRow() bool {
	switch b.f.Type {
	case gguf.Q4_0, gguf.Q4_1, gguf.Q5_0, gguf.Q5_1:
		return true
	}
	return false
}

// blockError is the error of a block as the better search weighs it.
func blockError(f *Format, block []byte, x, importance []float32) (sum float64) {
	var y, w [256]float32
	weighBetter(w[:len(x)], x, importance)
	f.Decode(y[:len(x)], block)
	for i, v := range x {
		d := float64(y[i]) - float64(v)
		sum += float64(float64(w[i]) * float64(d*d))
	}
	return sum
}

// peculiar reports whether the values of a block are not spread out. Of values that are,
// each question but the first sees only some.
func peculiar(x []float32) bool {
	var top uint32 // without sign, floats are ordered like their bits
	for _, v := range x {
		top = max(top, math.Float32bits(v)&^(1<<31))
	}
	most := math.Float32frombits(top)
	return most < 1e-3 || fewValues(x) || fewLarge(x, most/8) || noneSmall(x, most*3/4) || inOrder(x)
}

// fewValues reports whether a block has at most 16 different values.
func fewValues(x []float32) bool {
	var seen uint64
	for i, v := range x {
		if v == 0 {
			v = 0 // not its negative
		}
		seen |= 1 << (math.Float32bits(v) * 0x9e3779b1 >> 26)
		if i%16 == 15 && bits.OnesCount64(seen) > 16 {
			return false
		}
	}
	return true
}

// fewLarge reports whether fewer than a sixth of the values have some size: there are
// outliers, or mostly zeros.
func fewLarge(x []float32, size float32) bool {
	n := len(x) / 6
	for _, v := range x {
		if abs(v) >= size {
			if n--; n < 0 {
				return false
			}
		}
	}
	return true
}

// noneSmall reports whether all values have some size.
func noneSmall(x []float32, size float32) bool {
	for _, v := range x {
		if abs(v) < size {
			return false
		}
	}
	return true
}

// inOrder reports whether values rise or fall for long. Those of models change their
// direction at two of three.
func inOrder(x []float32) bool {
	turns := uint32(0)
	for i := 2; i < len(x); i++ {
		a, b := math.Float32bits(x[i-1]-x[i-2]), math.Float32bits(x[i]-x[i-1])
		turns += (a ^ b) >> 31
		if i%16 == 0 && turns > uint32(len(x)/10) {
			return false
		}
	}
	return true
}
