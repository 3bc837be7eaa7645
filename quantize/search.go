package quantize

import "math"

// The scale searches of ggml: given values x and weights w, they look for a
// scale, or a scale and a minimum, that makes the weighted squared error of the
// rounded values small. They try a few candidates around the obvious one and
// solve for the best scale of the codes that each candidate gives.

// fitScale sets codes to integers 0..2·top-1 and returns a scale such that
// x ≈ scale·(code-top). Values that are all tiny give codes 0 and scale 0.
func fitScale(codes []uint8, x, w []float32, top int32) (scale float32) {
	m := extreme(x)
	if tiny(m) {
		clear(codes)
		return 0
	}
	inv := -float32(top) / m
	sx, s2 := correlate(x, w, inv, top)
	if s2 != 0 {
		scale = sx / s2
	}
	best := scale * sx
	for k := -9; k <= 9; k++ {
		if k == 0 {
			continue
		}
		candidate := -(float32(top) + float32(0.1*float32(k))) / m
		sx, s2 := correlate(x, w, candidate, top)
		if s2 > 0 && float32(sx*sx) > float32(best*s2) {
			inv, scale = candidate, sx/s2
			best = scale * sx
		}
	}
	for i, v := range x {
		codes[i] = uint8(clamp(nearest(float32(inv*v)), -top, top-1) + top)
	}
	return scale
}

// correlate returns Σ w·x·q and Σ w·q·q for the codes q that x gets with the
// inverse scale inv. The scale of least squared error is their quotient.
func correlate(x, w []float32, inv float32, top int32) (sx, s2 float32) {
	w = w[:len(x)]
	for i, v := range x {
		q := float32(clamp(nearest(float32(inv*v)), -top, top-1))
		sx += float32(float32(w[i]*v) * q)
		s2 += float32(float32(w[i]*q) * q)
	}
	return sx, s2
}

// sweep is the range of inverse scales that fitScaleMin tries: those that
// spread the values over from, from+step, ... more codes than there are. Their
// errors are compared as squares or, if absolute is set, as magnitudes.
type sweep struct {
	from, step float32
	steps      int
	absolute   bool
}

func (s sweep) error(codes []uint8, x, w []float32, scale, lo float32) float32 {
	if s.absolute {
		return absoluteError(codes, x, w, scale, lo)
	}
	return squaredError(codes, x, w, scale, lo)
}

// wideSweep is used when the importance of the values is known.
var wideSweep = sweep{from: -0.9, step: 0.05, steps: 36}

// fitScaleMin sets codes to integers 0..top and returns a scale and a minimum,
// not above 0, such that x ≈ scale·code + minimum. It takes up to 32 values.
func fitScaleMin(codes []uint8, x, w []float32, top int32, s sweep) (scale, lo float32) {
	lo, hi := span(x)
	lo = min(lo, 0)
	if hi <= lo {
		clear(codes)
		return 0, lo
	}
	var candidate [32]uint8
	try := candidate[:len(x)]
	inv := float32(top) / (hi - lo)
	scale = 1 / inv
	quantizeFrom(codes, x, inv, lo, top)
	best := s.error(codes, x, w, scale, lo)
	sw, swx := moments(x, w)
	for k := range s.steps + 1 {
		// hi - lo with the minimum found so far, as in the reference.
		inv := (s.from + float32(s.step*float32(k)) + float32(top)) / (hi - lo)
		quantizeFrom(try, x, inv, lo, top)
		a, m, ok := regress(try, x, w, sw, swx)
		if !ok {
			continue
		}
		if e := s.error(try, x, w, a, m); e < best {
			best, scale, lo = e, a, m
			copy(codes, try)
		}
	}
	return scale, lo
}

// quantizeFrom sets codes to (x-lo)·inv, rounded and limited to 0..top.
func quantizeFrom(codes []uint8, x []float32, inv, lo float32, top int32) {
	codes = codes[:len(x)]
	for i, v := range x {
		codes[i] = uint8(clamp(nearest(float32(inv*(v-lo))), 0, top))
	}
}

// moments returns Σ w and Σ w·x.
func moments(x, w []float32) (sw, swx float32) {
	w = w[:len(x)]
	for i, v := range x {
		sw += w[i]
		swx += float32(w[i] * v)
	}
	return sw, swx
}

// regress returns the scale and the minimum, not above 0, of the weighted
// regression line from codes to x. It fails if all codes are equal.
func regress(codes []uint8, x, w []float32, sw, swx float32) (scale, lo float32, ok bool) {
	codes, w = codes[:len(x)], w[:len(x)]
	var sl, sl2, slx float32
	for i, v := range x {
		l := float32(codes[i])
		wl := float32(w[i] * l)
		sl += wl
		sl2 += float32(wl * l)
		slx += float32(wl * v)
	}
	det := float32(sw*sl2) - float32(sl*sl)
	if !(det > 0) {
		return 0, 0, false
	}
	scale = (float32(sw*slx) - float32(swx*sl)) / det
	lo = (float32(sl2*swx) - float32(sl*slx)) / det
	if lo > 0 {
		return slx / sl2, 0, true
	}
	return scale, lo, true
}

// squaredError returns Σ w·(scale·code + lo - x)².
func squaredError(codes []uint8, x, w []float32, scale, lo float32) (sum float32) {
	codes, w = codes[:len(x)], w[:len(x)]
	for i, v := range x {
		e := float32(scale*float32(codes[i])) + lo - v
		sum += float32(w[i] * float32(e*e))
	}
	return sum
}

// absoluteError returns Σ w·|scale·code + lo - x|.
func absoluteError(codes []uint8, x, w []float32, scale, lo float32) (sum float32) {
	codes, w = codes[:len(x)], w[:len(x)]
	for i, v := range x {
		e := float32(scale*float32(codes[i])) + lo - v
		sum += float32(w[i] * abs(e))
	}
	return sum
}

// extreme returns the first value of greatest magnitude, or 0 if all are 0. A
// NaN counts as the greatest, so that the overflow of a fit cannot get lost.
func extreme(x []float32) (m float32) {
	var top uint32 // without sign, floats are ordered like their bits
	for _, v := range x {
		if a := math.Float32bits(v) &^ (1 << 31); a > top {
			top, m = a, v
		}
	}
	return m
}

// span returns the smallest and the largest value of x, the first of equals.
func span(x []float32) (lo, hi float32) {
	lo, hi = x[0], x[0]
	for _, v := range x[1:] {
		if v < lo {
			lo = v
		}
		if v > hi {
			hi = v
		}
	}
	return lo, hi
}

// inverse returns 1/d, or 0 if that is infinite.
func inverse(d float32) float32 {
	if abs(d) <= 0x1p-128 {
		return 0
	}
	return 1 / d
}

// nearest returns x rounded to the nearest integer, halves to even, if
// |x| <= 4194303. Beyond that the result is arbitrary but the same as the
// reference's, which uses the same trick.
func nearest(x float32) int32 {
	const shift = 3 << 22 // at this size a float32 has no room for a fraction
	return int32(math.Float32bits(float32(x)+shift)&0x7fffff) - 0x400000
}

// tiny reports whether m is too small to be divided by.
func tiny(m float32) bool { return abs(m) < 1e-15 }

func clamp(v, lo, hi int32) int32 { return min(max(v, lo), hi) }

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// sqrt is rounded correctly: float64 has more than twice the precision needed.
func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }
