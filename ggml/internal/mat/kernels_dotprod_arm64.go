//go:build !purego

package mat

import (
	"mptgo/ggml/internal/mat/arm64"
	"mptgo/ggml/internal/vec"
	"mptgo/gguf"
)

// dotProd needs SDOT.
var dotProd = Kernels{
	vec: vec.Fast,
	block: blocksNEON(streamsDotProd, arm64.StreamExpandedDotProd, arm64.StreamExpandedHalvesDotProd, blockPanels{
		plain: panel(arm64.PlainDotProd), min: panel(arm64.MinDotProd), halves: panel(arm64.HalvesDotProd), halvesMin: panel(arm64.HalvesMinDotProd),
	}),
	float: &floatNEON,
}

var streamsDotProd = blockStreams{
	gguf.Q4_0: arm64.StreamQ4_0DotProd, gguf.Q4_1: arm64.StreamQ4_1DotProd, gguf.Q5_0: arm64.StreamQ5_0DotProd,
	gguf.Q5_1: arm64.StreamQ5_1DotProd, gguf.Q8_0: arm64.StreamQ8_0DotProd, gguf.Q6_K: arm64.StreamQ6_KDotProd,
	gguf.Q5_K: arm64.StreamQ5_KDotProd, gguf.Q4_K: arm64.StreamQ4_KDotProd, gguf.Q3_K: arm64.StreamQ3_KDotProd,
	gguf.Q2_K: arm64.StreamQ2_KDotProd, gguf.IQ4_NL: arm64.StreamIQ4_NLDotProd, gguf.IQ4_XS: arm64.StreamIQ4_XSDotProd,
}
