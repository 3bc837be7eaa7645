package search

import (
	"mptgo/quantize/internal/num"
	"mptgo/quantize/internal/vec"
)

// The scale searches of ggml: given values x and weights w, they look for a
// scale, or a scale and a minimum, that makes the weighted squared error of the
// rounded values small. They try a few candidates around the obvious one and
// solve for the best scale of the codes that each candidate gives.

// FitScale sets codes to integers 0..2·top-1 and returns a scale such that
// x ≈ scale·(code-top). Values that are all tiny give codes 0 and scale 0.
func FitScale(codes []uint8, x, w []float32, top int32) (scale float32) {
	m := vec.Extreme(x)
	if num.Tiny(m) {
		clear(codes)
		return 0
	}
	var inverse, sx, s2 [vec.Tries]float32
	for k, more := range around {
		inverse[k] = -(float32(top) + more) / m
	}
	vec.Correlate(&sx, &s2, x, w[:len(x)], &inverse, -top, top-1)
	inv := inverse[0]
	if s2[0] != 0 {
		scale = sx[0] / s2[0]
	}
	best := scale * sx[0]
	for k := 1; k < len(around); k++ {
		if s2[k] > 0 && float32(sx[k]*sx[k]) > float32(best*s2[k]) {
			inv, scale = inverse[k], sx[k]/s2[k]
			best = scale * sx[k]
		}
	}
	vec.Codes(codes, x, &vec.Code{Scale: inv, Least: -top, Most: top - 1, Offset: top})
	return scale
}

// around is how many more codes than there are the inverse scales spread a greatest value over
// that FitScale tries: the obvious one first.
var around = func() (more [19]float32) {
	i := 1
	for k := -9; k <= 9; k++ {
		if k != 0 {
			more[i] = float32(0.1 * float32(k))
			i++
		}
	}
	return more
}()

// Sweep is the range of inverse scales that FitScaleMin tries: those that
// spread the values over from, from+step, ... more codes than there are. Their
// errors are compared as squares or, if absolute is set, as magnitudes.
type Sweep struct {
	From, Step float32
	Steps      int
	Absolute   bool
}

func (s Sweep) error(codes []uint8, x, w []float32, scale, lo float32) float32 {
	if s.Absolute {
		return absoluteError(codes, x, w, scale, lo)
	}
	return squaredError(codes, x, w, scale, lo)
}

// WideSweep is used when the importance of the values is known.
var WideSweep = Sweep{From: -0.9, Step: 0.05, Steps: 36}

// FitScaleMin sets codes to integers 0..top and returns a scale and a minimum,
// not above 0, such that x ≈ scale·code + minimum. It takes up to 32 values.
func FitScaleMin(codes []uint8, x, w []float32, top int32, s Sweep) (scale, lo float32) {
	lo, hi := num.Span(x)
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
	for k := range s.Steps + 1 {
		// hi - lo with the minimum found so far, as in the reference.
		inv := (s.From + float32(s.Step*float32(k)) + float32(top)) / (hi - lo)
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
	vec.Codes(codes, x, &vec.Code{Scale: inv, Lo: lo, Most: top})
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
	return line(sw, swx, sl, sl2, slx)
}

// line returns the regression line for the sums Σ w, Σ w·x, Σ w·q, Σ w·q·q and Σ w·q·x of codes q.
func line(sw, swx, sl, sl2, slx float32) (scale, lo float32, ok bool) {
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
		sum += float32(w[i] * num.Abs(e))
	}
	return sum
}
