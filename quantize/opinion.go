package quantize

import "mptgo/gguf"

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

// peculiar reports whether the values of a block are not spread out.
func peculiar(x []float32) bool {
	if fewValues(x) {
		return true
	}
	lo, hi := x[0], x[0]
	zeros, rising := 0, 0
	var energy float32
	last := x[0]
	for _, v := range x {
		lo, hi = min(lo, v), max(hi, v)
		energy += float32(v * v)
		if v == 0 {
			zeros++
		}
		if v > last {
			rising++
		}
		last = v
	}
	n := len(x)
	most := max(hi, -lo)
	outlier := float32(energy * 0.25)
	if n < 256 {
		outlier = float32(energy * 0.6)
	}
	switch {
	case zeros > n*3/4, rising < n/5, rising > n-n/5: // the values of models rise half the time
		return true
	case most < 1e-3, hi-lo < most/4, float32(most*most) > outlier:
		return true
	}
	return false
}

// fewValues reports whether a block has only few different values.
func fewValues(x []float32) bool {
	var seen [16]float32
	n := 0
next:
	for _, v := range x {
		for _, s := range seen[:n] {
			if s == v {
				continue next
			}
		}
		if n == len(seen) {
			return false
		}
		seen[n] = v
		n++
	}
	return true
}
