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
			gguf.Q4_0: arm64.StreamQ4_0NEON, gguf.Q4_1: arm64.StreamQ4_1NEON, gguf.Q5_0: arm64.StreamQ5_0NEON,
			gguf.Q5_1: arm64.StreamQ5_1NEON, gguf.Q8_0: arm64.StreamQ8_0NEON, gguf.Q6_K: arm64.StreamQ6_KNEON,
			gguf.Q5_K: arm64.StreamQ5_KNEON, gguf.Q4_K: arm64.StreamQ4_KNEON, gguf.Q3_K: arm64.StreamQ3_KNEON,
			gguf.Q2_K: arm64.StreamQ2_KNEON, gguf.IQ4_NL: arm64.StreamIQ4_NLNEON, gguf.IQ4_XS: arm64.StreamIQ4_XSNEON,
		}, arm64.StreamExpandedNEON, arm64.StreamExpandedHalvesNEON,
		blockPanels{
			plain: panel(arm64.PlainNEON), min: panel(arm64.MinNEON), halves: panel(arm64.HalvesNEON), halvesMin: panel(arm64.HalvesMinNEON),
		}),
	float: &floatNEON,
}

var floatNEON = floatKernels{
	types: [len(floatTypes)]floatTypeKernels{
		gguf.F32:  {dot: arm64.DotF32NEON, pack: arm64.PackF32NEON},
		gguf.F16:  {dot: arm64.DotF16NEON, pack: arm64.PackF16NEON},
		gguf.BF16: {dot: arm64.DotBF16NEON, pack: arm64.PackBF16NEON},
	},
	tile: []floatTileFunc{1: arm64.TileFloatx1NEON, arm64.TileFloatx2NEON, arm64.TileFloatx3NEON, arm64.TileFloatx4NEON, arm64.TileFloatx5NEON, arm64.TileFloatx6NEON},
	fold: arm64.Fold4NEON,
}

// blockStreams are the kernels of rows as they lie in the file, by gguf.Type.
type blockStreams [len(blockTypes)]streamFunc

// blockPanels are the kinds of panels.
type blockPanels struct {
	plain     panel // codes with a scale
	min       panel // and a minimum
	halves    panel // codes with a scale and scales for each half
	halvesMin panel // and minima for each half
}

// scaledHalves are the types whose expanded blocks have scales other than 1.
var scaledHalves = [len(blockTypes)]bool{gguf.IQ2_XS: true, gguf.IQ2_S: true, gguf.IQ1_M: true}

// blocksNEON returns the kernels of a tier. All have the same panels, which the
// NEON kernels pack. expanded and halves are the kernels of rows that were expanded.
func blocksNEON(stream blockStreams, expanded, halves streamFunc, p blockPanels) [len(blockTypes)]*blockKernels {
	kernels := [len(blockTypes)]*blockKernels{
		gguf.Q4_0: {pack: arm64.PackQ4_0NEON, panel: p.plain},
		gguf.Q4_1: {pack: arm64.PackQ4_1NEON, panel: p.min},
		gguf.Q5_0: {pack: arm64.PackQ5_0NEON, panel: p.plain},
		gguf.Q5_1: {pack: arm64.PackQ5_1NEON, panel: p.min},
		gguf.Q8_0: {pack: arm64.PackQ8_0NEON, panel: p.plain},
		gguf.Q6_K: {pack: arm64.PackQ6_KNEON, panel: p.halves},
		gguf.Q5_K: {pack: arm64.PackQ5_KNEON, panel: p.min},
		gguf.Q4_K: {pack: arm64.PackQ4_KNEON, panel: p.min},
		gguf.Q3_K: {pack: arm64.PackQ3_KNEON, panel: p.halves},
		gguf.Q2_K: {pack: arm64.PackQ2_KNEON, panel: p.halvesMin},

		gguf.IQ4_NL: {pack: arm64.PackIQ4_NLNEON, panel: p.plain},
		gguf.IQ4_XS: {pack: arm64.PackIQ4_XSNEON, panel: p.plain},
	}
	for typ, k := range kernels {
		switch expand := expanders[typ]; {
		case k != nil:
			k.stream = stream[typ]
		case expand != nil && scaledHalves[typ]:
			kernels[typ] = &blockKernels{
				expand: expand, stream: halves, pack: arm64.PackExpandedHalvesNEON, panel: p.halves,
			}
		case expand != nil:
			kernels[typ] = &blockKernels{
				expand: expand, stream: expanded, pack: arm64.PackExpandedNEON, panel: p.plain,
			}
		}
	}
	return kernels
}
