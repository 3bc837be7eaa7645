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
	block: blocksNEON(streamsDotProd, arm64.StreamExpandedDotProd, arm64.StreamExpandedHalvesDotProd, blockTiles{
		plain:     tileFuncs{2: arm64.TilePlainx2I8MM, arm64.TilePlainx3I8MM, arm64.TilePlainx4I8MM},
		min:       tileFuncs{2: arm64.TileMinx2I8MM, arm64.TileMinx3I8MM, arm64.TileMinx4I8MM},
		halves:    tileFuncs{2: arm64.TileHalvesx2I8MM, arm64.TileHalvesx3I8MM, arm64.TileHalvesx4I8MM},
		halvesMin: tileFuncs{2: arm64.TileHalvesMinx2I8MM, arm64.TileHalvesMinx3I8MM, arm64.TileHalvesMinx4I8MM},
	}),
	float: &floatNEON,
}
