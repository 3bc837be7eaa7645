//go:build !purego

package mat

import (
	"mptgo/ggml/internal/mat/arm64"
	"mptgo/ggml/internal/vec"
	"mptgo/gguf"
)

var neon = Kernels{
	vec: vec.Fast,
	block: blocksNEON(
		blockStreams{
			gguf.Q4_0: arm64.StreamQ4_0NEON, gguf.Q8_0: arm64.StreamQ8_0NEON,
			gguf.Q4_K: arm64.StreamQ4_KNEON, gguf.Q5_K: arm64.StreamQ5_KNEON, gguf.Q6_K: arm64.StreamQ6_KNEON,
		}, arm64.StreamExpandedNEON, arm64.StreamExpandedHalvesNEON,
		blockPanels{plain: panel(arm64.PlainNEON), min: panel(arm64.MinNEON), halves: panel(arm64.HalvesNEON)},
	),
	float: &floatNEON,
}

var floatNEON = floatKernels{
	types: [len(floatTypes)]floatTypeKernels{
		gguf.F32: {
			dots: []dotFunc{1: arm64.DotF32x1NEON}, pack: arm64.PackF32NEON, thin: arm64.ThinF32NEON,
			tile: []floatTileFunc{1: arm64.TileF32x1NEON, arm64.TileF32x2NEON, arm64.TileF32x3NEON, arm64.TileF32x4NEON, arm64.TileF32x5NEON, arm64.TileF32x6NEON},
		},
		gguf.F16: {
			dots: []dotFunc{1: arm64.DotF16x1NEON}, pack: arm64.PackF16NEON, thin: arm64.ThinF16NEON,
			tile: []floatTileFunc{1: arm64.TileF16x1NEON, arm64.TileF16x2NEON, arm64.TileF16x3NEON, arm64.TileF16x4NEON, arm64.TileF16x5NEON, arm64.TileF16x6NEON},
		},
		gguf.BF16: {
			dots: []dotFunc{1: arm64.DotBF16x1NEON}, pack: arm64.PackBF16NEON, thin: arm64.ThinBF16NEON,
			tile: []floatTileFunc{1: arm64.TileBF16x1NEON, arm64.TileBF16x2NEON, arm64.TileBF16x3NEON, arm64.TileBF16x4NEON, arm64.TileBF16x5NEON, arm64.TileBF16x6NEON},
		},
	},
	fold: arm64.Fold4NEON,
}

// blockStreams are the kernels of rows as they lie in the file, by gguf.Type.
type blockStreams [len(blockTypes)]streamFunc

// blockPanels are the kinds of panels.
type blockPanels struct {
	plain  panel // codes with a scale
	min    panel // and a minimum
	halves panel // codes with a scale and scales for each half
}

// scaledHalves are the types whose expanded blocks have scales other than 1.
var scaledHalves = [len(blockTypes)]bool{gguf.IQ2_XS: true, gguf.IQ2_S: true, gguf.IQ1_M: true, gguf.Q3_K: true}

// blocksNEON returns the kernels of a tier. All have the same panels, which the
// NEON kernels pack. expanded and halves are the kernels of rows that were expanded.
//
// The types that most models are of have kernels of their own. The others are expanded in Go, and
// those with minima among them, Q4_1, Q5_1 and Q2_K, are left to the definition: no one has
// measured yet on such a CPU what more assembly would bring.
func blocksNEON(stream blockStreams, expanded, halves streamFunc, p blockPanels) [len(blockTypes)]*blockKernels {
	kernels := [len(blockTypes)]*blockKernels{
		gguf.Q4_0: {pack: arm64.PackQ4_0NEON, panel: p.plain},
		gguf.Q8_0: {pack: arm64.PackQ8_0NEON, panel: p.plain},
		gguf.Q4_K: {pack: arm64.PackQ4_KNEON, panel: p.min},
		gguf.Q5_K: {pack: arm64.PackQ5_KNEON, panel: p.min},
		gguf.Q6_K: {pack: arm64.PackQ6_KNEON, panel: p.halves},
	}
	for typ, k := range kernels {
		switch expand := expanders[typ]; {
		case k != nil:
			k.stream = stream[typ]
		case expand != nil && scaledHalves[typ]:
			kernels[typ] = &blockKernels{expand: expand, stream: halves, pack: arm64.PackExpandedHalvesNEON, panel: p.halves}
		case expand != nil:
			kernels[typ] = &blockKernels{expand: expand, stream: expanded, pack: arm64.PackExpandedNEON, panel: p.plain}
		}
	}
	return kernels
}
