//go:build !purego

package kernel

import "unsafe"

var vecAVX2 = vecKernels{
	layerNorm: layerNormAVX2,
	rmsNorm:   rmsNormAVX2,
	gelu:      geluAVX2,
	softcap:   softcapAVX2,
	logistic:  logisticAVX2,
	exp:       expAVX2,
	add:       addAVX2,
	scale:     scaleAVX2,
	clamp:     clampAVX2,
	f32ToF16:  f32ToF16AVX2,
	f16ToF32:  f16ToF32AVX2,
	bf16ToF32: bf16ToF32AVX2,
	gram:      gramAVX2,
}

// gramAVX2 works like gramGeneric.
func gramAVX2(c []float32, ldc int, a, b []float32, ldb, k int) {
	tileF32AVX2(&c[0], ldc, &a[0], k, (*byte)(unsafe.Pointer(&b[0])), ldb, k)
}

// span is the number of elements that one call of an assembly function takes
// at most: a goroutine in assembly cannot be stopped by the collector.
const span = 1 << 14

// whole8 and whole16 return how many of n elements the next call takes.
func whole8(n int) int  { return min(n&^7, span) }
func whole16(n int) int { return min(n&^15, span) }

// layerNormAVX2 works like layerNormGeneric.
func layerNormAVX2(y, x, w, b []float32, eps float32) {
	var sum [lanes]float32
	i, n := 0, len(x)
	for k := whole16(n); k > 0; k = whole16(n - i) {
		sumx16AVX2(&sum, &x[i], k)
		i += k
	}
	sumGeneric(&sum, x[i:])
	mean := Fold(&sum) / float32(n)

	variance := squaresAVX2(x, mean) / float32(n)
	normAVX2(y, x, w, b, mean, inverseRoot(variance+eps))
}

// rmsNormAVX2 works like rmsNormGeneric.
func rmsNormAVX2(y, x, w []float32, eps float32) {
	normAVX2(y, x, w, nil, 0, inverseRoot(squaresAVX2(x, 0)/float32(len(x))+eps))
}

// squaresAVX2 works like squaresGeneric and folds the lanes.
func squaresAVX2(x []float32, mean float32) float32 {
	var squares [lanes]float32
	i := 0
	for k := whole16(len(x)); k > 0; k = whole16(len(x) - i) {
		squaresx16AVX2(&squares, &x[i], k, mean)
		i += k
	}
	squaresGeneric(&squares, x[i:], mean)
	return Fold(&squares)
}

// normAVX2 works like normGeneric.
func normAVX2(y, x, w, b []float32, mean, inv float32) {
	i := 0
	for k := whole8(len(x)); k > 0; k = whole8(len(x) - i) {
		if b == nil {
			normx8AVX2(&y[i], &x[i], &w[i], k, mean, inv)
		} else {
			normBiasx8AVX2(&y[i], &x[i], &w[i], &b[i], k, mean, inv)
		}
		i += k
	}
	if b != nil {
		b = b[i:]
	}
	normGeneric(y[i:], x[i:], w[i:], b, mean, inv)
}

// geluAVX2 works like geluGeneric.
func geluAVX2(x []float32) {
	for k := whole8(len(x)); k > 0; k = whole8(len(x)) {
		gelux8AVX2(&x[0], k)
		x = x[k:]
	}
	if len(x) > 0 {
		var padded [8]float32
		copy(padded[:], x)
		gelux8AVX2(&padded[0], len(padded))
		copy(x, padded[:])
	}
}

// softcapAVX2 works like softcapGeneric.
func softcapAVX2(x []float32, c float32) {
	var e [expSpan]float32
	for inverse := 1 / c; len(x) > 0; {
		n := min(len(x), len(e))
		capArguments(e[:n], x[:n], inverse)
		expAVX2(e[:n], e[:n])
		capped(x[:n], e[:n], c)
		x = x[n:]
	}
}

// logisticAVX2 works like logisticGeneric.
func logisticAVX2(x []float32, c, c3 float32) {
	var e [expSpan]float32
	for len(x) > 0 {
		n := min(len(x), len(e))
		logisticArguments(e[:n], x[:n], c, c3)
		expAVX2(e[:n], e[:n])
		logisticResults(x[:n], e[:n])
		x = x[n:]
	}
}

// expAVX2 works like expGeneric.
func expAVX2(y, x []float32) {
	for k := whole8(len(x)); k > 0; k = whole8(len(x)) {
		expx8AVX2(&y[0], &x[0], k)
		y, x = y[k:], x[k:]
	}
	if len(x) > 0 {
		var padded [8]float32
		copy(padded[:], x)
		expx8AVX2(&padded[0], &padded[0], len(padded))
		copy(y, padded[:])
	}
}

// addAVX2 works like addGeneric.
func addAVX2(y, x []float32) {
	for k := whole8(len(x)); k > 0; k = whole8(len(x)) {
		addx8AVX2(&y[0], &x[0], k)
		y, x = y[k:], x[k:]
	}
	addGeneric(y, x)
}

// scaleAVX2 works like scaleGeneric.
func scaleAVX2(x []float32, s float32) {
	for k := whole8(len(x)); k > 0; k = whole8(len(x)) {
		scalex8AVX2(&x[0], k, s)
		x = x[k:]
	}
	scaleGeneric(x, s)
}

// clampAVX2 works like clampGeneric.
func clampAVX2(x []float32, c float32) {
	for k := whole8(len(x)); k > 0; k = whole8(len(x)) {
		clampx8AVX2(&x[0], k, c)
		x = x[k:]
	}
	clampGeneric(x, c)
}

// f32ToF16AVX2 works like encodeF16.
func f32ToF16AVX2(dst []byte, src []float32) {
	for k := whole8(len(src)); k > 0; k = whole8(len(src)) {
		encodeF16x8AVX2(&dst[0], &src[0], k)
		dst, src = dst[2*k:], src[k:]
	}
	encodeF16(dst, src)
}

// f16ToF32AVX2 works like decodeF16.
func f16ToF32AVX2(dst []float32, src []byte) {
	for k := whole8(len(dst)); k > 0; k = whole8(len(dst)) {
		decodeF16x8AVX2(&dst[0], &src[0], k)
		dst, src = dst[k:], src[2*k:]
	}
	decodeF16(dst, src)
}

// bf16ToF32AVX2 works like decodeBF16.
func bf16ToF32AVX2(dst []float32, src []byte) {
	for k := whole8(len(dst)); k > 0; k = whole8(len(dst)) {
		decodeBF16x8AVX2(&dst[0], &src[0], k)
		dst, src = dst[k:], src[2*k:]
	}
	decodeBF16(dst, src)
}

// The functions of vec_amd64.s work like the generic ones without the number
// in their names, on n elements, a positive multiple of that number.

//go:noescape
func sumx16AVX2(sum *[16]float32, x *float32, n int)

//go:noescape
func squaresx16AVX2(sum *[16]float32, x *float32, n int, mean float32)

//go:noescape
func normx8AVX2(y, x, w *float32, n int, mean, inv float32)

//go:noescape
func normBiasx8AVX2(y, x, w, b *float32, n int, mean, inv float32)

//go:noescape
func expx8AVX2(y, x *float32, n int)

//go:noescape
func gelux8AVX2(x *float32, n int)

//go:noescape
func addx8AVX2(y, x *float32, n int)

//go:noescape
func scalex8AVX2(x *float32, n int, s float32)

//go:noescape
func clampx8AVX2(x *float32, n int, c float32)

//go:noescape
func encodeF16x8AVX2(dst *byte, src *float32, n int)

//go:noescape
func decodeF16x8AVX2(dst *float32, src *byte, n int)

//go:noescape
func decodeBF16x8AVX2(dst *float32, src *byte, n int)
