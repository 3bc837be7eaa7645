//go:build !purego

package mat

import (
	"mptgo/ggml/internal/mat/amd64"
	"mptgo/gguf"
)

// decodersAVX2 are by gguf.Type.
var decodersAVX2 = [len(blockTypes)]decoder{
	gguf.F32:    {kernel: amd64.DecodeF32AVX2},
	gguf.F16:    {kernel: amd64.DecodeF16AVX2},
	gguf.BF16:   {kernel: amd64.DecodeBF16AVX2},
	gguf.Q4_0:   {kernel: amd64.DecodeQ4_0AVX2},
	gguf.Q4_1:   {kernel: amd64.DecodeQ4_1AVX2},
	gguf.Q5_0:   {kernel: amd64.DecodeQ5_0AVX2},
	gguf.Q5_1:   {kernel: amd64.DecodeQ5_1AVX2},
	gguf.Q8_0:   {kernel: amd64.DecodeQ8_0AVX2},
	gguf.Q4_K:   {kernel: amd64.DecodeQ4_KAVX2},
	gguf.Q5_K:   {kernel: amd64.DecodeQ5_KAVX2},
	gguf.Q6_K:   {kernel: amd64.DecodeQ6_KAVX2},
	gguf.IQ4_NL: {kernel: amd64.DecodeIQ4_NLAVX2},
	gguf.IQ4_XS: {kernel: amd64.DecodeIQ4_XSAVX2},

	gguf.Q3_K:    {amd64.DecodeExpandedAVX2, expandQ3_K},
	gguf.IQ1_S:   {amd64.DecodeExpandedAVX2, expandIQ1_S},
	gguf.IQ1_M:   {amd64.DecodeExpandedAVX2, expandIQ1_M},
	gguf.IQ2_XXS: {amd64.DecodeExpandedAVX2, expandIQ2_XXSAVX2},
	gguf.IQ2_XS:  {amd64.DecodeExpandedAVX2, expandIQ2_XSAVX2},
	gguf.IQ2_S:   {amd64.DecodeExpandedAVX2, expandIQ2_SAVX2},
	gguf.IQ3_XXS: {amd64.DecodeExpandedAVX2, expandIQ3_XXSAVX2},
	gguf.IQ3_S:   {amd64.DecodeExpandedAVX2, expandIQ3_SAVX2},
	gguf.TQ1_0:   {amd64.DecodeExpandedAVX2, expandTQ1_0AVX2},
	gguf.TQ2_0:   {amd64.DecodeExpandedAVX2, expandTQ2_0AVX2},
	gguf.MXFP4:   {amd64.DecodeExpandedAVX2, expandMXFP4},
}
