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
		plain: panel(arm64.PlainDotProd), min: panel(arm64.MinDotProd), halves: panel(arm64.HalvesDotProd),
	}),
	float: &floatNEON,
}

var streamsDotProd = blockStreams{
	gguf.Q4_0: arm64.StreamQ4_0DotProd, gguf.Q8_0: arm64.StreamQ8_0DotProd,
	gguf.Q4_K: arm64.StreamQ4_KDotProd, gguf.Q5_K: arm64.StreamQ5_KDotProd, gguf.Q6_K: arm64.StreamQ6_KDotProd,
}
