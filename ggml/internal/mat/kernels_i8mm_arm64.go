//go:build !purego

package mat

import (
	"mptgo/ggml/internal/mat/arm64"
	"mptgo/ggml/internal/vec"
)

// i8mm needs SDOT, which is the better instruction for a single row of
// activations, and SMMLA for the tiles.
var i8mm = Kernels{
	vec: vec.Fast,
	block: blocksNEON(streamsDotProd, arm64.StreamExpandedDotProd, arm64.StreamExpandedHalvesDotProd, blockPanels{
		plain: panel(arm64.PlainI8MM), min: panel(arm64.MinI8MM), halves: panel(arm64.HalvesI8MM),
	}),
	float: &floatNEON,
}
