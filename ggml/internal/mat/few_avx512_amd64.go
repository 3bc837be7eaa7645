//go:build !purego

package mat

import "mptgo/gguf"

// fewAVX512 are the kernels for a few rows of activations.
var fewAVX512 = map[gguf.Type]fewFunc{
	gguf.Q4_0:   fewQ4_0AVX512,
	gguf.Q8_0:   fewQ8_0AVX512,
	gguf.Q4_K:   fewQ4_KAVX512,
	gguf.Q5_K:   fewQ5_KAVX512,
	gguf.Q6_K:   fewQ6_KAVX512,
	gguf.IQ4_NL: fewIQ4_NLAVX512,
}

// withFew returns the kernels with those for a few rows of activations.
func withFew(kernels [len(blockTypes)]*blockKernels, few map[gguf.Type]fewFunc) [len(blockTypes)]*blockKernels {
	for typ, f := range few {
		k := *kernels[typ]
		k.few = f
		kernels[typ] = &k
	}
	return kernels
}

//go:noescape
func fewQ4_0AVX512(y *float32, ldy int, w *byte, stride, n int, a *byte, lda, tokens int, ahead uintptr, step int)

//go:noescape
func fewQ8_0AVX512(y *float32, ldy int, w *byte, stride, n int, a *byte, lda, tokens int, ahead uintptr, step int)

//go:noescape
func fewQ4_KAVX512(y *float32, ldy int, w *byte, stride, n int, a *byte, lda, tokens int, ahead uintptr, step int)

//go:noescape
func fewQ5_KAVX512(y *float32, ldy int, w *byte, stride, n int, a *byte, lda, tokens int, ahead uintptr, step int)

//go:noescape
func fewQ6_KAVX512(y *float32, ldy int, w *byte, stride, n int, a *byte, lda, tokens int, ahead uintptr, step int)

//go:noescape
func fewIQ4_NLAVX512(y *float32, ldy int, w *byte, stride, n int, a *byte, lda, tokens int, ahead uintptr, step int)
