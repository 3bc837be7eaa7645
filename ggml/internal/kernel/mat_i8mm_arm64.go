//go:build !purego

package kernel

// matI8MM needs SDOT, which is the better instruction for a single row of
// activations, and SMMLA for the tiles.
var matI8MM = matKernels{
	quantize: quantizeFast,
	block: blocksNEON(streamsDotProd, streamExpandedDotProd, streamExpandedHalvesDotProd, blockTiles{
		plain:     tileFuncs{2: tilePlainx2I8MM, tilePlainx3I8MM, tilePlainx4I8MM},
		min:       tileFuncs{2: tileMinx2I8MM, tileMinx3I8MM, tileMinx4I8MM},
		halves:    tileFuncs{2: tileHalvesx2I8MM, tileHalvesx3I8MM, tileHalvesx4I8MM},
		halvesMin: tileFuncs{2: tileHalvesMinx2I8MM, tileHalvesMinx3I8MM, tileHalvesMinx4I8MM},
	}),
	float: &floatNEON,
}
