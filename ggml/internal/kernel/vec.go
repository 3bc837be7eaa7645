package kernel

import (
	"fmt"
	"math"
)

// vecKernels are the kernels of a tier that work on one or two vectors, and gram.
type vecKernels struct {
	layerNorm func(y, x, w, b []float32, eps float32)
	rmsNorm   func(y, x, w []float32, eps float32)
	gelu      func(x []float32)
	softcap   func(x []float32, c float32)
	logistic  func(x []float32, c, c3 float32) // x/(1+Exp(-x·(c+c3·x²)))
	exp       func(y, x []float32)
	add       func(y, x []float32)
	scale     func(x []float32, s float32)
	clamp     func(x []float32, c float32)
	f32ToF16  func(dst []byte, src []float32)
	f16ToF32  func(dst []float32, src []byte)
	bf16ToF32 func(dst []float32, src []byte)
	gram      gramTile
}

var vecGeneric = vecKernels{
	layerNorm: layerNormGeneric,
	rmsNorm:   rmsNormGeneric,
	gelu:      geluGeneric,
	softcap:   softcapGeneric,
	logistic:  logisticGeneric,
	exp:       expGeneric,
	add:       addGeneric,
	scale:     scaleGeneric,
	clamp:     clampGeneric,
	f32ToF16:  encodeF16,
	f16ToF32:  decodeF16,
	bf16ToF32: decodeBF16,
	gram:      gramGeneric,
}

// LayerNorm sets y to (x-mean)/√(variance+eps)·w + b, where mean and variance
// are those of the elements of x. Without a bias b is nil. y may be x.
//
// Sums are made in sixteen lanes, as in dot products: mean = Fold(Σ x)/n;
// d = x-mean; variance = Fold(Σ fma(d, d))/n; then y = (d·(1/√(variance+eps)))·w,
// every product rounded, or one fma with b.
func (t *Tier) LayerNorm(y, x, w, b []float32, eps float32) {
	same("LayerNorm", len(y), len(x))
	same("LayerNorm", len(w), len(x))
	if b != nil {
		same("LayerNorm", len(b), len(x))
	}
	t.vec.layerNorm(y, x, w, b, eps)
}

// RMSNorm sets y to x/√(mean of x²+eps)·w [Zhang and Sennrich, "Root Mean Square
// Layer Normalization", 2019]: [Tier.LayerNorm] with a mean of 0. y may be x.
func (t *Tier) RMSNorm(y, x, w []float32, eps float32) {
	same("RMSNorm", len(y), len(x))
	same("RMSNorm", len(w), len(x))
	t.vec.rmsNorm(y, x, w, eps)
}

// GELU replaces every x by x·Φ(x), where Φ is the standard normal distribution,
// with an error below 2e-7·max(1, |x|). From 6 on the result is x, from -6 down 0.
func (t *Tier) GELU(x []float32) { t.vec.gelu(x) }

// Exp sets y to e^x by the function [Exp]. y may be x.
func (t *Tier) Exp(y, x []float32) {
	same("Exp", len(y), len(x))
	t.vec.exp(y, x)
}

// Add adds x to y.
func (t *Tier) Add(y, x []float32) {
	same("Add", len(y), len(x))
	t.vec.add(y, x)
}

// Scale multiplies every x by s.
func (t *Tier) Scale(x []float32, s float32) { t.vec.scale(x, s) }

// Clamp limits every x to [-c, c]. A NaN stays a NaN.
func (t *Tier) Clamp(x []float32, c float32) { t.vec.clamp(x, c) }

// F32ToF16 stores src as binary16 numbers, little-endian, rounded to nearest,
// half to even.
func (t *Tier) F32ToF16(dst []byte, src []float32) {
	same("F32ToF16", len(dst), 2*len(src))
	t.vec.f32ToF16(dst, src)
}

// F16ToF32 sets dst to the binary16 numbers, little-endian, in src.
func (t *Tier) F16ToF32(dst []float32, src []byte) {
	same("F16ToF32", len(src), 2*len(dst))
	t.vec.f16ToF32(dst, src)
}

// BF16ToF32 sets dst to the bfloat16 numbers, little-endian, in src.
func (t *Tier) BF16ToF32(dst []float32, src []byte) {
	same("BF16ToF32", len(src), 2*len(dst))
	t.vec.bf16ToF32(dst, src)
}

// same panics unless a length is what it must be.
func same(kernel string, got, want int) {
	if got != want {
		panic(fmt.Sprintf("kernel: %s: a length is %d, want %d", kernel, got, want))
	}
}

func layerNormGeneric(y, x, w, b []float32, eps float32) {
	var sum, squares [lanes]float32
	sumGeneric(&sum, x)
	mean := Fold(&sum) / float32(len(x))
	squaresGeneric(&squares, x, mean)
	variance := Fold(&squares) / float32(len(x))
	normGeneric(y, x, w, b, mean, inverseRoot(variance+eps))
}

func rmsNormGeneric(y, x, w []float32, eps float32) {
	var squares [lanes]float32
	squaresGeneric(&squares, x, 0)
	normGeneric(y, x, w, nil, 0, inverseRoot(Fold(&squares)/float32(len(x))+eps))
}

// inverseRoot returns 1/√x, root and quotient rounded. A float64 root rounded
// to float32 is the correctly rounded one.
func inverseRoot(x float32) float32 { return 1 / float32(math.Sqrt(float64(x))) }

func sumGeneric(sum *[lanes]float32, x []float32) {
	for i, v := range x {
		sum[i%lanes] += v
	}
}

func squaresGeneric(sum *[lanes]float32, x []float32, mean float32) {
	for i, v := range x {
		d := v - mean
		sum[i%lanes] = FMA(d, d, sum[i%lanes])
	}
}

func normGeneric(y, x, w, b []float32, mean, inv float32) {
	for i, v := range x {
		d := float32((v - mean) * inv)
		if b == nil {
			y[i] = d * w[i]
		} else {
			y[i] = FMA(d, w[i], b[i])
		}
	}
}

func geluGeneric(x []float32) {
	for i, v := range x {
		x[i] = gelu(v)
	}
}

func expGeneric(y, x []float32) {
	for i, v := range x {
		y[i] = Exp(v)
	}
}

func addGeneric(y, x []float32) {
	for i, v := range x {
		y[i] += v
	}
}

func scaleGeneric(x []float32, s float32) {
	for i := range x {
		x[i] *= s
	}
}

func clampGeneric(x []float32, c float32) {
	for i, v := range x {
		switch {
		case v > c:
			x[i] = c
		case v < -c:
			x[i] = -c
		}
	}
}

func encodeF16(dst []byte, src []float32) {
	for i, v := range src {
		putFloat16(dst[2*i:], v)
	}
}
