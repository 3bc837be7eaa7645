// Package vec holds the kernels of one or two vectors: norms, activations, sums, conversions.
package vec

import (
	"fmt"
	"math"

	"mptgo/ggml/internal/cpu"
	"mptgo/ggml/internal/scalar"
)

// Kernels are the kernels of a tier that work on one or two vectors. Slices that a kernel
// reads and writes must not overlap unless its method says so. Lengths are checked by the
// methods, not by the kernels.
type Kernels struct {
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
}

var Generic = Kernels{
	layerNorm: layerNormGeneric,
	rmsNorm:   rmsNormGeneric,
	gelu:      geluGeneric,
	softcap:   SoftcapGeneric,
	logistic:  logisticGeneric,
	exp:       expGeneric,
	add:       addGeneric,
	scale:     scaleGeneric,
	clamp:     clampGeneric,
	f32ToF16:  scalar.EncodeF16,
	f16ToF32:  scalar.DecodeF16,
	bf16ToF32: scalar.DecodeBF16,
}

// For returns the kernels of a level: those that its name has in the table of the
// architecture. It panics if the table lacks it.
func For(l cpu.Level) Kernels {
	if k, ok := levels[l.Name]; ok {
		return k
	}
	if l.Name != "generic" {
		panic("vec: no kernels of vectors for the level " + l.Name)
	}
	return Generic
}

// LayerNorm sets y to (x-mean)/√(variance+eps)·w + b, where mean and variance
// are those of the elements of x. Without a bias b is nil. y may be x.
//
// Sums are made in sixteen lanes, as in dot products: mean = Fold(Σ x)/n;
// d = x-mean; variance = Fold(Σ fma(d, d))/n; then y = (d·(1/√(variance+eps)))·w,
// every product rounded, or one fma with b.
func (k *Kernels) LayerNorm(y, x, w, b []float32, eps float32) {
	SameLength("LayerNorm", len(y), len(x))
	SameLength("LayerNorm", len(w), len(x))
	if b != nil {
		SameLength("LayerNorm", len(b), len(x))
	}
	k.layerNorm(y, x, w, b, eps)
}

// RMSNorm sets y to x/√(mean of x²+eps)·w [Zhang and Sennrich, "Root Mean Square
// Layer Normalization", 2019]: [Kernels.LayerNorm] with a mean of 0. y may be x.
func (k *Kernels) RMSNorm(y, x, w []float32, eps float32) {
	SameLength("RMSNorm", len(y), len(x))
	SameLength("RMSNorm", len(w), len(x))
	k.rmsNorm(y, x, w, eps)
}

// GELU replaces every x by x·Φ(x), where Φ is the standard normal distribution,
// with an error below 2e-7·max(1, |x|). From 6 on the result is x, from -6 down 0.
func (k *Kernels) GELU(x []float32) { k.gelu(x) }

// Exp sets y to e^x by the function [scalar.Exp]. y may be x.
func (k *Kernels) Exp(y, x []float32) {
	SameLength("Exp", len(y), len(x))
	k.exp(y, x)
}

// Add adds x to y.
func (k *Kernels) Add(y, x []float32) {
	SameLength("Add", len(y), len(x))
	k.add(y, x)
}

// Scale multiplies every x by s.
func (k *Kernels) Scale(x []float32, s float32) { k.scale(x, s) }

// Clamp limits every x to [-c, c]. A NaN stays a NaN.
func (k *Kernels) Clamp(x []float32, c float32) { k.clamp(x, c) }

// F32ToF16 stores src as binary16 numbers, little-endian, rounded to nearest,
// half to even.
func (k *Kernels) F32ToF16(dst []byte, src []float32) {
	SameLength("F32ToF16", len(dst), 2*len(src))
	k.f32ToF16(dst, src)
}

// F16ToF32 sets dst to the binary16 numbers, little-endian, in src.
func (k *Kernels) F16ToF32(dst []float32, src []byte) {
	SameLength("F16ToF32", len(src), 2*len(dst))
	k.f16ToF32(dst, src)
}

// BF16ToF32 sets dst to the bfloat16 numbers, little-endian, in src.
func (k *Kernels) BF16ToF32(dst []float32, src []byte) {
	SameLength("BF16ToF32", len(src), 2*len(dst))
	k.bf16ToF32(dst, src)
}

// same panics unless a length is what it must be.
func SameLength(kernel string, got, want int) {
	if got != want {
		panic(fmt.Sprintf("vec: %s: a length is %d, want %d", kernel, got, want))
	}
}

func layerNormGeneric(y, x, w, b []float32, eps float32) {
	var sum, squares [scalar.Lanes]float32
	sumGeneric(&sum, x)
	mean := scalar.Fold(&sum) / float32(len(x))
	squaresGeneric(&squares, x, mean)
	variance := scalar.Fold(&squares) / float32(len(x))
	normGeneric(y, x, w, b, mean, inverseRoot(variance+eps))
}

func rmsNormGeneric(y, x, w []float32, eps float32) {
	var squares [scalar.Lanes]float32
	squaresGeneric(&squares, x, 0)
	normGeneric(y, x, w, nil, 0, inverseRoot(scalar.Fold(&squares)/float32(len(x))+eps))
}

// inverseRoot returns 1/√x, root and quotient rounded. A float64 root rounded
// to float32 is the correctly rounded one.
func inverseRoot(x float32) float32 { return 1 / float32(math.Sqrt(float64(x))) }

func sumGeneric(sum *[scalar.Lanes]float32, x []float32) {
	for i, v := range x {
		sum[i%scalar.Lanes] += v
	}
}

func squaresGeneric(sum *[scalar.Lanes]float32, x []float32, mean float32) {
	for i, v := range x {
		d := v - mean
		sum[i%scalar.Lanes] = scalar.FMA(d, d, sum[i%scalar.Lanes])
	}
}

func normGeneric(y, x, w, b []float32, mean, inv float32) {
	for i, v := range x {
		d := float32((v - mean) * inv)
		if b == nil {
			y[i] = d * w[i]
		} else {
			y[i] = scalar.FMA(d, w[i], b[i])
		}
	}
}

func geluGeneric(x []float32) {
	for i, v := range x {
		x[i] = scalar.GELU(v)
	}
}

func expGeneric(y, x []float32) {
	for i, v := range x {
		y[i] = scalar.Exp(v)
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
