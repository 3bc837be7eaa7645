//go:build !purego

package kernel

import "mptgo/gguf"

// matDotProd needs SDOT.
var matDotProd = matKernels{
	quantize: quantizeFast,
	block: blocksNEON(streamsDotProd, streamExpandedDotProd, streamExpandedHalvesDotProd, blockTiles{
		plain:     tileFuncs{2: tilePlainx2DotProd, tilePlainx3DotProd, tilePlainx4DotProd},
		min:       tileFuncs{2: tileMinx2DotProd, tileMinx3DotProd, tileMinx4DotProd},
		halves:    tileFuncs{2: tileHalvesx2DotProd, tileHalvesx3DotProd, tileHalvesx4DotProd},
		halvesMin: tileFuncs{2: tileHalvesMinx2DotProd, tileHalvesMinx3DotProd, tileHalvesMinx4DotProd},
	}),
	float: &floatNEON,
}

var streamsDotProd = blockStreams{
	gguf.Q4_0: streamQ4_0DotProd, gguf.Q4_1: streamQ4_1DotProd, gguf.Q5_0: streamQ5_0DotProd,
	gguf.Q5_1: streamQ5_1DotProd, gguf.Q8_0: streamQ8_0DotProd, gguf.Q6_K: streamQ6_KDotProd,
	gguf.Q5_K: streamQ5_KDotProd, gguf.Q4_K: streamQ4_KDotProd, gguf.Q3_K: streamQ3_KDotProd,
	gguf.Q2_K: streamQ2_KDotProd, gguf.IQ4_NL: streamIQ4_NLDotProd, gguf.IQ4_XS: streamIQ4_XSDotProd,
}
