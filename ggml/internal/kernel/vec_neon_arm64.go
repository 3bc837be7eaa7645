//go:build !purego

package kernel

import "unsafe"

var vecNEON = vecKernels{
	layerNorm: layerNormNEON,
	rmsNorm:   rmsNormNEON,
	gelu:      geluNEON,
	softcap:   softcapNEON,
	logistic:  logisticNEON,
	exp:       expNEON,
	add:       addNEON,
	scale:     scaleNEON,
	clamp:     clampNEON,
	f32ToF16:  f32ToF16NEON,
	f16ToF32:  f16ToF32NEON,
	bf16ToF32: bf16ToF32NEON,
	gram:      gramNEON,
}

// gramNEON works like gramGeneric.
func gramNEON(c []float32, ldc int, a, b []float32, ldb, k int) {
	tileF32NEON(&c[0], ldc, &a[0], k, (*byte)(unsafe.Pointer(&b[0])), ldb, k)
}

// span is the number of elements that one call of an assembly function takes
// at most: a goroutine in assembly cannot be stopped by the collector.
const span = 1 << 14

// whole8 and whole16 return how many of n elements the next call takes.
func whole8(n int) int  { return min(n&^7, span) }
func whole16(n int) int { return min(n&^15, span) }

// layerNormNEON works like layerNormGeneric.
func layerNormNEON(y, x, w, b []float32, eps float32) {
	var sum [lanes]float32
	i, n := 0, len(x)
	for k := whole16(n); k > 0; k = whole16(n - i) {
		sumx16NEON(&sum, &x[i], k)
		i += k
	}
	sumGeneric(&sum, x[i:])
	mean := Fold(&sum) / float32(n)

	variance := squaresNEON(x, mean) / float32(n)
	normNEON(y, x, w, b, mean, inverseRoot(variance+eps))
}

// rmsNormNEON works like rmsNormGeneric.
func rmsNormNEON(y, x, w []float32, eps float32) {
	normNEON(y, x, w, nil, 0, inverseRoot(squaresNEON(x, 0)/float32(len(x))+eps))
}

// squaresNEON works like squaresGeneric and folds the lanes.
func squaresNEON(x []float32, mean float32) float32 {
	var squares [lanes]float32
	i := 0
	for k := whole16(len(x)); k > 0; k = whole16(len(x) - i) {
		squaresx16NEON(&squares, &x[i], k, mean)
		i += k
	}
	squaresGeneric(&squares, x[i:], mean)
	return Fold(&squares)
}

// normNEON works like normGeneric.
func normNEON(y, x, w, b []float32, mean, inv float32) {
	i := 0
	for k := whole8(len(x)); k > 0; k = whole8(len(x) - i) {
		if b == nil {
			normx8NEON(&y[i], &x[i], &w[i], k, mean, inv)
		} else {
			normBiasx8NEON(&y[i], &x[i], &w[i], &b[i], k, mean, inv)
		}
		i += k
	}
	if b != nil {
		b = b[i:]
	}
	normGeneric(y[i:], x[i:], w[i:], b, mean, inv)
}

// geluNEON works like geluGeneric.
func geluNEON(x []float32) {
	for k := whole8(len(x)); k > 0; k = whole8(len(x)) {
		gelux8NEON(&x[0], k)
		x = x[k:]
	}
	if len(x) > 0 {
		var padded [8]float32
		copy(padded[:], x)
		gelux8NEON(&padded[0], len(padded))
		copy(x, padded[:])
	}
}

// softcapNEON works like softcapGeneric.
func softcapNEON(x []float32, c float32) {
	var e [expSpan]float32
	for inverse := 1 / c; len(x) > 0; {
		n := min(len(x), len(e))
		capArguments(e[:n], x[:n], inverse)
		expNEON(e[:n], e[:n])
		capped(x[:n], e[:n], c)
		x = x[n:]
	}
}

// logisticNEON works like logisticGeneric.
func logisticNEON(x []float32, c, c3 float32) {
	var e [expSpan]float32
	for len(x) > 0 {
		n := min(len(x), len(e))
		logisticArguments(e[:n], x[:n], c, c3)
		expNEON(e[:n], e[:n])
		logisticResults(x[:n], e[:n])
		x = x[n:]
	}
}

// expNEON works like expGeneric.
func expNEON(y, x []float32) {
	for k := whole8(len(x)); k > 0; k = whole8(len(x)) {
		expx8NEON(&y[0], &x[0], k)
		y, x = y[k:], x[k:]
	}
	if len(x) > 0 {
		var padded [8]float32
		copy(padded[:], x)
		expx8NEON(&padded[0], &padded[0], len(padded))
		copy(y, padded[:])
	}
}

// addNEON works like addGeneric.
func addNEON(y, x []float32) {
	for k := whole8(len(x)); k > 0; k = whole8(len(x)) {
		addx8NEON(&y[0], &x[0], k)
		y, x = y[k:], x[k:]
	}
	addGeneric(y, x)
}

// scaleNEON works like scaleGeneric.
func scaleNEON(x []float32, s float32) {
	for k := whole8(len(x)); k > 0; k = whole8(len(x)) {
		scalex8NEON(&x[0], k, s)
		x = x[k:]
	}
	scaleGeneric(x, s)
}

// clampNEON works like clampGeneric.
func clampNEON(x []float32, c float32) {
	for k := whole8(len(x)); k > 0; k = whole8(len(x)) {
		clampx8NEON(&x[0], k, c)
		x = x[k:]
	}
	clampGeneric(x, c)
}

// f32ToF16NEON works like encodeF16.
func f32ToF16NEON(dst []byte, src []float32) {
	for k := whole8(len(src)); k > 0; k = whole8(len(src)) {
		encodeF16x8NEON(&dst[0], &src[0], k)
		dst, src = dst[2*k:], src[k:]
	}
	encodeF16(dst, src)
}

// f16ToF32NEON works like decodeF16.
func f16ToF32NEON(dst []float32, src []byte) {
	for k := whole8(len(dst)); k > 0; k = whole8(len(dst)) {
		decodeF16x8NEON(&dst[0], &src[0], k)
		dst, src = dst[k:], src[2*k:]
	}
	decodeF16(dst, src)
}

// bf16ToF32NEON works like decodeBF16.
func bf16ToF32NEON(dst []float32, src []byte) {
	for k := whole8(len(dst)); k > 0; k = whole8(len(dst)) {
		decodeBF16x8NEON(&dst[0], &src[0], k)
		dst, src = dst[k:], src[2*k:]
	}
	decodeBF16(dst, src)
}
