//go:build !purego

package kernel

// matI8MM needs SDOT, which is the better instruction for a single row of
// activations, and SMMLA for the tiles.
var matI8MM = matKernels{
	quantize: quantizeNEON,
	block: blocksNEON(streamsDotProd, blockTiles{
		plain: tileFuncs{2: tilePlainx2I8MM, tilePlainx3I8MM, tilePlainx4I8MM},
		min:   tileFuncs{2: tileMinx2I8MM, tileMinx3I8MM, tileMinx4I8MM},
		q6:    tileFuncs{2: tileQ6_Kx2I8MM, tileQ6_Kx3I8MM, tileQ6_Kx4I8MM},
	}),
	float: &floatNEON,
}
