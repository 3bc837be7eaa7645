//go:build !purego && (amd64 || arm64)

package vec

import (
	"mptgo/ggml/internal/scalar"
)

// The kernels of vectors, around those that an architecture has for a number of elements
// that fills its registers: sumx16, squaresx16, normx8, normBiasx8, expx8, gelux8, addx8,
// scalex8, clampx8, encodeF16x8, decodeF16x8 and decodeBF16x8. They work like the generic
// ones without the number in their names, on n elements, a positive multiple of it.

var Fast = Kernels{
	layerNorm: layerNormFast,
	rmsNorm:   rmsNormFast,
	gelu:      geluFast,
	softcap:   SoftcapFast,
	logistic:  logisticFast,
	exp:       expFast,
	add:       addFast,
	scale:     ScaleFast,
	clamp:     clampFast,
	f32ToF16:  f32ToF16Fast,
	f16ToF32:  f16ToF32Fast,
	bf16ToF32: bf16ToF32Fast,
}

// span is the number of elements that one call of an assembly function takes
// at most: a goroutine in assembly cannot be stopped by the collector.
const span = 1 << 14

// whole8 and whole16 return how many of n elements the next call takes.
func Whole8(n int) int  { return min(n&^7, span) }
func whole16(n int) int { return min(n&^15, span) }

// layerNormFast works like layerNormGeneric.
func layerNormFast(y, x, w, b []float32, eps float32) {
	var sum [scalar.Lanes]float32
	i, n := 0, len(x)
	for k := whole16(n); k > 0; k = whole16(n - i) {
		sumx16(&sum, &x[i], k)
		i += k
	}
	sumGeneric(&sum, x[i:])
	mean := scalar.Fold(&sum) / float32(n)

	variance := squaresFast(x, mean) / float32(n)
	normFast(y, x, w, b, mean, inverseRoot(variance+eps))
}

// rmsNormFast works like rmsNormGeneric.
func rmsNormFast(y, x, w []float32, eps float32) {
	normFast(y, x, w, nil, 0, inverseRoot(squaresFast(x, 0)/float32(len(x))+eps))
}

// squaresFast works like squaresGeneric and folds the lanes.
func squaresFast(x []float32, mean float32) float32 {
	var squares [scalar.Lanes]float32
	i := 0
	for k := whole16(len(x)); k > 0; k = whole16(len(x) - i) {
		squaresx16(&squares, &x[i], k, mean)
		i += k
	}
	squaresGeneric(&squares, x[i:], mean)
	return scalar.Fold(&squares)
}

// normFast works like normGeneric.
func normFast(y, x, w, b []float32, mean, inv float32) {
	i := 0
	for k := Whole8(len(x)); k > 0; k = Whole8(len(x) - i) {
		if b == nil {
			normx8(&y[i], &x[i], &w[i], k, mean, inv)
		} else {
			normBiasx8(&y[i], &x[i], &w[i], &b[i], k, mean, inv)
		}
		i += k
	}
	if b != nil {
		b = b[i:]
	}
	normGeneric(y[i:], x[i:], w[i:], b, mean, inv)
}

// geluFast works like geluGeneric.
func geluFast(x []float32) {
	for k := Whole8(len(x)); k > 0; k = Whole8(len(x)) {
		gelux8(&x[0], k)
		x = x[k:]
	}
	if len(x) > 0 {
		var padded [8]float32
		copy(padded[:], x)
		gelux8(&padded[0], len(padded))
		copy(x, padded[:])
	}
}

// SoftcapFast works like SoftcapGeneric.
func SoftcapFast(x []float32, c float32) {
	var e [expSpan]float32
	for inverse := 1 / c; len(x) > 0; {
		n := min(len(x), len(e))
		capArguments(e[:n], x[:n], inverse)
		expFast(e[:n], e[:n])
		capped(x[:n], e[:n], c)
		x = x[n:]
	}
}

// logisticFast works like logisticGeneric.
func logisticFast(x []float32, c, c3 float32) {
	var e [expSpan]float32
	for len(x) > 0 {
		n := min(len(x), len(e))
		logisticArguments(e[:n], x[:n], c, c3)
		expFast(e[:n], e[:n])
		logisticResults(x[:n], e[:n])
		x = x[n:]
	}
}

// expFast works like expGeneric.
func expFast(y, x []float32) {
	for k := Whole8(len(x)); k > 0; k = Whole8(len(x)) {
		expx8(&y[0], &x[0], k)
		y, x = y[k:], x[k:]
	}
	if len(x) > 0 {
		var padded [8]float32
		copy(padded[:], x)
		expx8(&padded[0], &padded[0], len(padded))
		copy(y, padded[:])
	}
}

// addFast works like addGeneric.
func addFast(y, x []float32) {
	for k := Whole8(len(x)); k > 0; k = Whole8(len(x)) {
		addx8(&y[0], &x[0], k)
		y, x = y[k:], x[k:]
	}
	addGeneric(y, x)
}

// ScaleFast works like scaleGeneric.
func ScaleFast(x []float32, s float32) {
	for k := Whole8(len(x)); k > 0; k = Whole8(len(x)) {
		scalex8(&x[0], k, s)
		x = x[k:]
	}
	scaleGeneric(x, s)
}

// clampFast works like clampGeneric.
func clampFast(x []float32, c float32) {
	for k := Whole8(len(x)); k > 0; k = Whole8(len(x)) {
		clampx8(&x[0], k, c)
		x = x[k:]
	}
	clampGeneric(x, c)
}

// f32ToF16Fast works like scalar.EncodeF16.
func f32ToF16Fast(dst []byte, src []float32) {
	for k := Whole8(len(src)); k > 0; k = Whole8(len(src)) {
		encodeF16x8(&dst[0], &src[0], k)
		dst, src = dst[2*k:], src[k:]
	}
	scalar.EncodeF16(dst, src)
}

// f16ToF32Fast works like scalar.DecodeF16.
func f16ToF32Fast(dst []float32, src []byte) {
	for k := Whole8(len(dst)); k > 0; k = Whole8(len(dst)) {
		decodeF16x8(&dst[0], &src[0], k)
		dst, src = dst[k:], src[2*k:]
	}
	scalar.DecodeF16(dst, src)
}

// bf16ToF32Fast works like scalar.DecodeBF16.
func bf16ToF32Fast(dst []float32, src []byte) {
	for k := Whole8(len(dst)); k > 0; k = Whole8(len(dst)) {
		decodeBF16x8(&dst[0], &src[0], k)
		dst, src = dst[k:], src[2*k:]
	}
	scalar.DecodeBF16(dst, src)
}
