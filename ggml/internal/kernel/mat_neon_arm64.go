//go:build !purego

package kernel

import "mptgo/gguf"

var matNEON = matKernels{
	quantize: quantizeFast,
	block: blocksNEON(
		blockStreams{
			gguf.Q4_0: streamQ4_0NEON, gguf.Q4_1: streamQ4_1NEON, gguf.Q5_0: streamQ5_0NEON,
			gguf.Q5_1: streamQ5_1NEON, gguf.Q8_0: streamQ8_0NEON, gguf.Q6_K: streamQ6_KNEON,
			gguf.Q5_K: streamQ5_KNEON, gguf.Q4_K: streamQ4_KNEON, gguf.Q3_K: streamQ3_KNEON,
			gguf.Q2_K: streamQ2_KNEON, gguf.IQ4_NL: streamIQ4_NLNEON, gguf.IQ4_XS: streamIQ4_XSNEON,
		}, streamExpandedNEON, streamExpandedHalvesNEON,
		blockTiles{
			plain:     tileFuncs{2: tilePlainx2NEON, tilePlainx3NEON, tilePlainx4NEON},
			min:       tileFuncs{2: tileMinx2NEON, tileMinx3NEON, tileMinx4NEON},
			halves:    tileFuncs{2: tileHalvesx2NEON, tileHalvesx3NEON, tileHalvesx4NEON},
			halvesMin: tileFuncs{2: tileHalvesMinx2NEON, tileHalvesMinx3NEON, tileHalvesMinx4NEON},
		}),
	float: &floatNEON,
}

var floatNEON = floatKernels{
	types: [len(floatTypes)]floatTypeKernels{
		gguf.F32:  {dot: dotF32NEON, pack: packF32NEON},
		gguf.F16:  {dot: dotF16NEON, pack: packF16NEON},
		gguf.BF16: {dot: dotBF16NEON, pack: packBF16NEON},
	},
	sort: sortLanesNEON,
	tile: []floatTileFunc{1: tileFloatx1NEON, tileFloatx2NEON, tileFloatx3NEON, tileFloatx4NEON, tileFloatx5NEON, tileFloatx6NEON},
	fold: fold4NEON,
}

// blockStreams are the kernels of rows as they lie in the file, by gguf.Type.
type blockStreams [len(blockTypes)]streamFunc

// blockTiles are the tiles of the kinds of panels.
type blockTiles struct {
	plain     tileFuncs // codes with a scale
	min       tileFuncs // and a minimum
	halves    tileFuncs // codes with a scale and scales for each half
	halvesMin tileFuncs // and minima for each half
}

// scaledHalves are the types whose expanded blocks have scales other than 1.
var scaledHalves = [len(blockTypes)]bool{gguf.IQ2_XS: true, gguf.IQ2_S: true, gguf.IQ1_M: true}

// blocksNEON returns the kernels of a tier. All have the same panels, which the
// NEON kernels pack. expanded and halves are the kernels of rows that were expanded.
func blocksNEON(stream blockStreams, expanded, halves streamFunc, tile blockTiles) [len(blockTypes)]*blockKernels {
	const codes = StripRows * actBlockLen
	kernels := [len(blockTypes)]*blockKernels{
		gguf.Q4_0: {pack: packQ4_0NEON, tile: tile.plain, panel: 64 + codes},
		gguf.Q4_1: {pack: packQ4_1NEON, tile: tile.min, panel: 128 + codes},
		gguf.Q5_0: {pack: packQ5_0NEON, tile: tile.plain, panel: 64 + codes},
		gguf.Q5_1: {pack: packQ5_1NEON, tile: tile.min, panel: 128 + codes},
		gguf.Q8_0: {pack: packQ8_0NEON, tile: tile.plain, panel: 64 + codes},
		gguf.Q6_K: {pack: packQ6_KNEON, tile: tile.halves, panel: 192 + codes},
		gguf.Q5_K: {pack: packQ5_KNEON, tile: tile.min, panel: 128 + codes},
		gguf.Q4_K: {pack: packQ4_KNEON, tile: tile.min, panel: 128 + codes},
		gguf.Q3_K: {pack: packQ3_KNEON, tile: tile.halves, panel: 192 + codes},
		gguf.Q2_K: {pack: packQ2_KNEON, tile: tile.halvesMin, panel: 384 + codes},

		gguf.IQ4_NL: {pack: packIQ4_NLNEON, tile: tile.plain, panel: 64 + codes},
		gguf.IQ4_XS: {pack: packIQ4_XSNEON, tile: tile.plain, panel: 64 + codes},
	}
	for typ, k := range kernels {
		switch expand := expanders[typ]; {
		case k != nil:
			k.stream = stream[typ]
		case expand != nil && scaledHalves[typ]:
			kernels[typ] = &blockKernels{
				expand: expand, stream: halves, pack: packExpandedHalvesNEON, tile: tile.halves, panel: 192 + codes,
			}
		case expand != nil:
			kernels[typ] = &blockKernels{
				expand: expand, stream: expanded, pack: packExpandedNEON, tile: tile.plain, panel: 64 + codes,
			}
		}
	}
	return kernels
}
