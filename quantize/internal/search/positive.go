package search

import "mptgo/quantize/internal/num"

// Searches for the scale of numbers that are not weights themselves: the scales
// and minima of the groups in a block, and the refinement of codes one by one.

// sweeps is how often the codes are gone over one by one.
const sweeps = 5

// FitPositive sets codes to integers 0..top and returns a scale such that
// x ≈ scale·code, for values that are not negative. It tries a few scales and
// then changes single codes as long as that makes the error smaller.
func fitPositive(codes []uint8, x, w []float32, top int32) float32 {
	m := max(0, num.Largest(x))
	if num.Tiny(m) {
		clear(codes)
		return 0
	}
	inv := positiveScale(x, w, m, top)
	var sx, s2 float32
	for i, v := range x {
		q := min(top, num.Nearest(float32(inv*v)))
		codes[i] = uint8(q)
		sx += float32(float32(w[i]*v) * float32(q))
		s2 += float32(float32(w[i]*float32(q)) * float32(q))
	}
	for range sweeps {
		changed := false
		for i, v := range x {
			wx, q := float32(w[i]*v), float32(codes[i])
			a, b := sx-float32(wx*q), s2-float32(float32(w[i]*q)*q)
			if !(a > 0 && b > 0) {
				continue
			}
			try := min(top, num.Nearest(float32(v*b)/a))
			if try == int32(codes[i]) {
				continue
			}
			q = float32(try)
			a += float32(wx * q)
			b += float32(float32(w[i]*q) * q)
			if float32(float32(a*a)*s2) > float32(float32(sx*sx)*b) {
				codes[i], sx, s2 = uint8(try), a, b
				changed = true
			}
		}
		if !changed {
			break
		}
	}
	if s2 == 0 {
		return 0
	}
	return sx / s2
}

// positiveScale returns the inverse scale, of nine around the one that gives
// the largest value, m, the code top, that makes the least error.
func positiveScale(x, w []float32, m float32, top int32) float32 {
	inv := float32(top) / m
	var best float32
	for i, v := range x {
		e := v - float32(1/inv*float32(num.Nearest(float32(inv*v))))
		best += float32(float32(w[i]*e) * e)
	}
	for k := -4; k <= 4; k++ {
		if k == 0 {
			continue
		}
		candidate := (float32(0.1*float32(k)) + float32(top)) / m
		scale := 1 / candidate
		var sum float32
		for i, v := range x {
			e := v - float32(scale*float32(min(top, num.Nearest(float32(candidate*v)))))
			sum += float32(float32(w[i]*e) * e)
		}
		if sum < best {
			best, inv = sum, candidate
		}
	}
	return inv
}

// FitRefined is FitScale with weights x·x and without the search: from the
// obvious scale on, it changes single codes as long as that makes the error
// smaller. It takes up to 16 values.
func FitRefined(codes []uint8, x []float32, top int32) float32 {
	m := num.Extreme(x)
	if num.Tiny(m) {
		clear(codes)
		return 0
	}
	var quants [16]int32
	q := quants[:len(x)]
	inv := -float32(top) / m
	var sx, s2 float32
	for i, v := range x {
		q[i] = num.Clamp(num.Nearest(float32(inv*v)), -top, top-1)
		w, l := float32(v*v), float32(q[i])
		sx += float32(float32(w*v) * l)
		s2 += float32(float32(w*l) * l)
	}
	for range sweeps {
		if !refine(q, x, top, &sx, &s2) {
			break
		}
	}
	for i, l := range q {
		codes[i] = uint8(l + top)
	}
	return sx / s2
}

// refine goes over all codes once and reports whether it changed one. It keeps
// sx = Σ w·x·q and s2 = Σ w·q·q up to date, with w = x·x.
func refine(q []int32, x []float32, top int32, sx, s2 *float32) (changed bool) {
	for i, v := range x {
		w, l := float32(v*v), float32(q[i])
		wx := float32(w * v)
		a := *sx - float32(wx*l)
		if !(a > 0) {
			continue
		}
		b := *s2 - float32(float32(w*l)*l)
		try := num.Clamp(num.Nearest(float32(v*b)/a), -top, top-1)
		if try == q[i] {
			continue
		}
		l = float32(try)
		a += float32(wx * l)
		b += float32(float32(w*l) * l)
		if b > 0 && float32(float32(a*a)**s2) > float32(float32(*sx**sx)*b) {
			q[i], *sx, *s2 = try, a, b
			changed = true
		}
	}
	return changed
}
