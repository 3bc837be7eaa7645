package search

import (
	"mptgo/internal/codebook"
	"mptgo/quantize/internal/num"
	"mptgo/quantize/internal/vec"
)

// The search for scales of codes that are entries of the table [codebook.NonLinear].

// FitNonLinear returns the scale d that makes d·K[q] fit x best, of those that
// map the value of greatest magnitude to K[0] or near it.
func FitNonLinear(x, w []float32) (d float32) {
	m := num.Extreme(x)
	if num.Tiny(m) {
		return 0
	}
	inv := [vec.TableTries]float32{1 / (m / 127)}
	for k := 1; k < len(inv); k++ {
		inv[k] = float32(k-8-127) / m
	}
	var a, b [vec.TableTries]float32
	vec.CorrelateTable(&a, &b, x, w[:len(x)], &inv, &nonLinearValues)
	if b[0] > 0 {
		d = a[0] / b[0]
	}
	best := d * a[0]
	for k := 1; k < len(inv); k++ {
		if b[k] > 0 && float32(a[k]*a[k]) > float32(best*b[k]) {
			d = a[k] / b[k]
			best = d * a[k]
		}
	}
	return d
}

// nonLinearValues are the entries of the table by the floor of twice a value, from -254 on.
var nonLinearValues = func() (values vec.Halves) {
	for i, code := range nonLinearCodes {
		values[i] = float32(codebook.NonLinear[code])
	}
	return values
}()

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
var nonLinearCodes = func() (table [len(vec.Halves{})]uint8) {
	code := 0
	for i := range table {
		for code < 15 && i-254 >= int(codebook.NonLinear[code])+int(codebook.NonLinear[code+1]) {
			code++
		}
		table[i] = uint8(code)
	}
	return table
}()
