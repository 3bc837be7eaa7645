//go:build !purego

package mat

import (
	"mptgo/ggml/internal/mat/amd64"
	"mptgo/ggml/internal/vec"
	"mptgo/gguf"
)

// amx needs AMX INT8 besides what avx512vbmi needs, and the permission of the operating system.
// It has kernels for many rows of activations; few rows are left to those of AVX-512.
var amx = Kernels{vec: vec.Fast, block: withMany(avx512VBMI.block, map[gguf.Type]manyKernels{
	gguf.Q4_0:    manyPlain(8),
	gguf.Q4_1:    manyMin,
	gguf.Q5_0:    manyPlain(16),
	gguf.Q5_1:    manyMin,
	gguf.Q8_0:    manyPlain(128),
	gguf.Q6_K:    manyHalves(32),
	gguf.Q5_K:    manyMin,
	gguf.Q4_K:    manyMin,
	gguf.Q3_K:    manyHalves(4),
	gguf.Q2_K:    {multiply: amd64.HalvesMinAMX},
	gguf.IQ4_NL:  manyPlain(128),
	gguf.IQ4_XS:  manyPlain(128),
	gguf.IQ3_S:   manyPlain(128),
	gguf.IQ3_XXS: manyPlain(128),
	gguf.IQ2_XXS: manyPlain(128),
	gguf.IQ1_S:   manyPlain(128),
	gguf.TQ1_0:   manyPlain(128),
	gguf.TQ2_0:   manyPlain(128),
	gguf.MXFP4:   manyPlain(128),
	gguf.IQ2_XS:  manyHalves(64),
	gguf.IQ2_S:   manyHalves(64),
	gguf.IQ1_M:   manyHalves(64),
}), float: &floatAVX512}

var manyMin = manyKernels{multiply: amd64.MinAMX}

// manyPlain returns the kernels of panels whose codes have a zero point.
func manyPlain(zero int) manyKernels {
	return manyKernels{multiply: amd64.PlainAMX, signed: amd64.SignedAMX, zero: zero}
}

// manyHalves returns those of panels with scales for each 16 columns. They do without the zero
// point that is in the panel.
func manyHalves(zero int) manyKernels {
	return manyKernels{multiply: amd64.HalvesAMX, signed: amd64.SignedAMX, zero: zero}
}

// withMany returns the kernels with others for many rows of activations.
func withMany(kernels [len(blockTypes)]*blockKernels, many map[gguf.Type]manyKernels) [len(blockTypes)]*blockKernels {
	for typ, m := range many {
		k := *kernels[typ]
		k.many = &m
		kernels[typ] = &k
	}
	return kernels
}
