//go:build !purego

package kernel

import "mptgo/gguf"

// matDotProd needs SDOT.
var matDotProd = matKernels{
	quantize: quantizeNEON,
	block: blocksNEON(streamsDotProd, blockTiles{
		plain: tileFuncs{2: tilePlainx2DotProd, tilePlainx3DotProd, tilePlainx4DotProd},
		min:   tileFuncs{2: tileMinx2DotProd, tileMinx3DotProd, tileMinx4DotProd},
		q6:    tileFuncs{2: tileQ6_Kx2DotProd, tileQ6_Kx3DotProd, tileQ6_Kx4DotProd},
	}),
	float: &floatNEON,
}

var streamsDotProd = blockStreams{
	gguf.Q4_0: streamQ4_0DotProd, gguf.Q4_1: streamQ4_1DotProd, gguf.Q5_0: streamQ5_0DotProd,
	gguf.Q5_1: streamQ5_1DotProd, gguf.Q8_0: streamQ8_0DotProd, gguf.Q6_K: streamQ6_KDotProd,
}
