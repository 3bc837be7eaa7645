package search

import (
	"mptgo/internal/codebook"
	"mptgo/quantize/internal/num"
)

// The search for scales of codes that are entries of the table [codebook.NonLinear].

// FitNonLinear returns the scale d that makes d·K[q] fit x best, of those that
// map the value of greatest magnitude to K[0] or near it.
func FitNonLinear(x, w []float32) (d float32) {
	m := num.Extreme(x)
	if num.Tiny(m) {
		return 0
	}
	a, b := correlateNonLinear(x, w, 1/(m/127))
	if b > 0 {
		d = a / b
	}
	best := d * a
	for k := -7; k <= 7; k++ {
		a, b := correlateNonLinear(x, w, float32(k-127)/m)
		if b > 0 && float32(a*a) > float32(best*b) {
			d = a / b
			best = d * a
		}
	}
	return d
}

// correlateNonLinear returns Σ w·q·x and Σ w·q·q for the entries q of the table
// that x gets with the inverse scale inv.
func correlateNonLinear(x, w []float32, inv float32) (a, b float32) {
	w = w[:len(x)]
	for i, v := range x {
		q := float32(codebook.NonLinear[NonLinearCode(float32(inv*v))])
		wq := float32(w[i] * q)
		a += float32(wq * v)
		b += float32(wq * q)
	}
	return a, b
}

// NearestNonLinear sets codes to the entries of the table nearest to inv·x.
func NearestNonLinear(codes []uint8, x []float32, inv float32) {
	for i, v := range x {
		codes[i] = NonLinearCode(float32(inv * v))
	}
}

// NonLinearCode returns the entry of the table K nearest to v, the upper one of
// two. All points half-way between entries are multiples of ½, so the code
// depends on the floor of 2v only.
func NonLinearCode(v float32) uint8 {
	switch {
	case !(v > -127): // a NaN is here too
		return 0
	case v >= 113:
		return 15
	}
	i := int32(2 * v)
	if float32(i) > 2*v {
		i--
	}
	return nonLinearCodes[i+254]
}

// nonLinearCodes[i+254] is the code of values from i/2 up to (i+1)/2.
var nonLinearCodes = func() (table [481]uint8) {
	code := 0
	for i := range table {
		for code < 15 && i-254 >= int(codebook.NonLinear[code])+int(codebook.NonLinear[code+1]) {
			code++
		}
		table[i] = uint8(code)
	}
	return table
}()
