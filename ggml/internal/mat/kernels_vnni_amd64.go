//go:build !purego

package mat

import (
	"mptgo/ggml/internal/act"
	"mptgo/ggml/internal/mat/amd64"
	"mptgo/ggml/internal/vec"
	"mptgo/gguf"
)

// avxVNNI needs AVX-VNNI besides what avx2 needs.
var avxVNNI = Kernels{
	vec: vec.Fast,
	block: withStreams(blocksVNNI(panelBytes, vnniTiles{
		zero8:   tileFuncs{2: amd64.TileU4x2AVXVNNI, amd64.TileU4x3AVXVNNI, amd64.TileU4x4AVXVNNI},
		zero16:  tileFuncs{2: amd64.TileU5x2AVXVNNI, amd64.TileU5x3AVXVNNI, amd64.TileU5x4AVXVNNI},
		zero128: tileFuncs{2: amd64.TileU8x2AVXVNNI, amd64.TileU8x3AVXVNNI, amd64.TileU8x4AVXVNNI},
		min:     tileFuncs{2: amd64.TileMinx2AVXVNNI, amd64.TileMinx3AVXVNNI, amd64.TileMinx4AVXVNNI},
		halves:  tileFuncs{2: amd64.TileU6x2AVXVNNI, amd64.TileU6x3AVXVNNI, amd64.TileU6x4AVXVNNI},
		minima:  tileFuncs{2: amd64.TileU6Minx2AVXVNNI, amd64.TileU6Minx3AVXVNNI, amd64.TileU6Minx4AVXVNNI},
	}), map[gguf.Type]streamFunc{
		gguf.Q4_0: amd64.StreamQ4_0AVXVNNI, gguf.Q4_1: amd64.StreamQ4_1AVXVNNI, gguf.Q5_0: amd64.StreamQ5_0AVXVNNI, gguf.Q5_1: amd64.StreamQ5_1AVXVNNI,
		gguf.Q2_K: amd64.StreamQ2_KAVXVNNI, gguf.Q3_K: amd64.StreamQ3_KAVXVNNI, gguf.Q4_K: amd64.StreamQ4_KAVXVNNI, gguf.Q5_K: amd64.StreamQ5_KAVXVNNI,
		gguf.IQ4_NL: amd64.StreamIQ4_NLAVXVNNI, gguf.IQ4_XS: amd64.StreamIQ4_XSAVXVNNI,
	}),
	float: &floatAVX2,
}

// avx512 needs AVX-512 F, BW, VL, DQ and VNNI besides.
var avx512 = Kernels{
	vec: vec.Fast,
	block: withStreams(blocksVNNI(2*panelBytes, vnniTiles{
		zero8: tileFuncs{2: amd64.TileU4x2AVX512, amd64.TileU4x3AVX512, amd64.TileU4x4AVX512, amd64.TileU4x5AVX512, amd64.TileU4x6AVX512,
			amd64.TileU4x7AVX512, amd64.TileU4x8AVX512, amd64.TileU4x9AVX512, amd64.TileU4x10AVX512, amd64.TileU4x11AVX512,
			amd64.TileU4x12AVX512, amd64.TileU4x13AVX512, amd64.TileU4x14AVX512},
		zero16: tileFuncs{2: amd64.TileU5x2AVX512, amd64.TileU5x3AVX512, amd64.TileU5x4AVX512, amd64.TileU5x5AVX512, amd64.TileU5x6AVX512,
			amd64.TileU5x7AVX512, amd64.TileU5x8AVX512, amd64.TileU5x9AVX512, amd64.TileU5x10AVX512, amd64.TileU5x11AVX512,
			amd64.TileU5x12AVX512, amd64.TileU5x13AVX512, amd64.TileU5x14AVX512},
		zero128: tileFuncs{2: amd64.TileU8x2AVX512, amd64.TileU8x3AVX512, amd64.TileU8x4AVX512, amd64.TileU8x5AVX512, amd64.TileU8x6AVX512,
			amd64.TileU8x7AVX512, amd64.TileU8x8AVX512, amd64.TileU8x9AVX512, amd64.TileU8x10AVX512, amd64.TileU8x11AVX512,
			amd64.TileU8x12AVX512, amd64.TileU8x13AVX512, amd64.TileU8x14AVX512},
		min: tileFuncs{2: amd64.TileMinx2AVX512, amd64.TileMinx3AVX512, amd64.TileMinx4AVX512, amd64.TileMinx5AVX512, amd64.TileMinx6AVX512,
			amd64.TileMinx7AVX512, amd64.TileMinx8AVX512, amd64.TileMinx9AVX512, amd64.TileMinx10AVX512, amd64.TileMinx11AVX512,
			amd64.TileMinx12AVX512, amd64.TileMinx13AVX512, amd64.TileMinx14AVX512},
		halves: tileFuncs{2: amd64.TileU6x2AVX512, amd64.TileU6x3AVX512, amd64.TileU6x4AVX512, amd64.TileU6x5AVX512, amd64.TileU6x6AVX512,
			amd64.TileU6x7AVX512, amd64.TileU6x8AVX512, amd64.TileU6x9AVX512},
		minima: tileFuncs{2: amd64.TileU6Minx2AVX512, amd64.TileU6Minx3AVX512, amd64.TileU6Minx4AVX512, amd64.TileU6Minx5AVX512,
			amd64.TileU6Minx6AVX512, amd64.TileU6Minx7AVX512, amd64.TileU6Minx8AVX512, amd64.TileU6Minx9AVX512},
	}), map[gguf.Type]streamFunc{
		gguf.Q4_0: amd64.StreamQ4_0AVX512, gguf.Q4_1: amd64.StreamQ4_1AVX512, gguf.Q5_0: amd64.StreamQ5_0AVX512, gguf.Q5_1: amd64.StreamQ5_1AVX512,
		gguf.Q2_K: amd64.StreamQ2_KAVX512, gguf.Q3_K: amd64.StreamQ3_KAVX512, gguf.Q4_K: amd64.StreamQ4_KAVX512, gguf.Q5_K: amd64.StreamQ5_KAVX512,
		gguf.IQ4_NL: amd64.StreamIQ4_NLAVX512, gguf.IQ4_XS: amd64.StreamIQ4_XSAVX512,
	}),
	float: &floatAVX2,
}

// avx512VBMI needs AVX-512 VBMI besides.
var avx512VBMI = Kernels{vec: vec.Fast, block: withStreams(avx512.block, map[gguf.Type]streamFunc{
	gguf.Q5_0: amd64.StreamQ5_0VBMI, gguf.Q5_1: amd64.StreamQ5_1VBMI,
}), float: &floatAVX2}

// withStreams returns the kernels with other ones for decode.
func withStreams(kernels [len(blockTypes)]*blockKernels, streams map[gguf.Type]streamFunc) [len(blockTypes)]*blockKernels {
	for typ, stream := range streams {
		k := *kernels[typ]
		k.stream = stream
		kernels[typ] = &k
	}
	return kernels
}

// vnniTiles are the tiles of panels of unsigned bytes.
type vnniTiles struct {
	zero8, zero16, zero128 tileFuncs // codes with a scale, by zero point
	min                    tileFuncs // and a minimum
	halves                 tileFuncs // and scales for each half
	minima                 tileFuncs // and minima for each half
}

// blocksVNNI returns the kernels of a tier with such tiles. Where panels allow
// it, they are packed by the kernels of AVX2. The higher the tiles, the less it
// matters that panels are near.
func blocksVNNI(panelBytes int, tile vnniTiles) [len(blockTypes)]*blockKernels {
	const codes = StripRows * act.BlockLen
	kernels := [len(blockTypes)]*blockKernels{
		gguf.Q4_0: {stream: amd64.StreamQ4_0AVX2, pack: amd64.PackQ4_0AVX2, tile: tile.zero8, panel: 64 + codes},
		gguf.Q4_1: {stream: amd64.StreamQ4_1AVX2, pack: amd64.PackQ4_1AVX2, tile: tile.min, panel: 128 + codes},
		gguf.Q5_0: {stream: amd64.StreamQ5_0AVX2, pack: amd64.PackQ5_0AVX2, tile: tile.zero16, panel: 64 + codes},
		gguf.Q5_1: {stream: amd64.StreamQ5_1AVX2, pack: amd64.PackQ5_1AVX2, tile: tile.min, panel: 128 + codes},
		gguf.Q8_0: {stream: amd64.StreamQ8_0AVX2, pack: amd64.PackQ8_0VNNI, tile: tile.zero128, panel: 64 + codes},
		gguf.Q6_K: {stream: amd64.StreamQ6_KAVX2, pack: amd64.PackQ6_KVNNI, tile: tile.halves, panel: 256 + codes},
		gguf.Q5_K: {stream: amd64.StreamQ5_KAVX2, pack: amd64.PackQ5_KAVX2, tile: tile.min, panel: 128 + codes},
		gguf.Q4_K: {stream: amd64.StreamQ4_KAVX2, pack: amd64.PackQ4_KAVX2, tile: tile.min, panel: 128 + codes},
		gguf.Q3_K: {stream: amd64.StreamQ3_KAVX2, pack: amd64.PackQ3_KVNNI, tile: tile.halves, panel: 256 + codes},
		gguf.Q2_K: {stream: amd64.StreamQ2_KAVX2, pack: amd64.PackQ2_KVNNI, tile: tile.minima, panel: 320 + codes},

		gguf.IQ4_NL: {stream: amd64.StreamIQ4_NLAVX2, pack: amd64.PackIQ4_NLVNNI, tile: tile.zero128, panel: 64 + codes},
		gguf.IQ4_XS: {stream: amd64.StreamIQ4_XSAVX2, pack: amd64.PackIQ4_XSVNNI, tile: tile.zero128, panel: 64 + codes},

		gguf.IQ3_S:   tile.expanded(expandIQ3_SAVX2),
		gguf.IQ3_XXS: tile.expanded(expandIQ3_XXSAVX2),
		gguf.IQ2_XXS: tile.expanded(expandIQ2_XXSAVX2),
		gguf.IQ1_S:   tile.expanded(expandIQ1_S),
		gguf.TQ1_0:   tile.expanded(expandTQ1_0AVX2),
		gguf.TQ2_0:   tile.expanded(expandTQ2_0AVX2),
		gguf.MXFP4:   tile.expanded(expandMXFP4),
		gguf.IQ2_XS:  tile.expandedHalves(expandIQ2_XSAVX2),
		gguf.IQ2_S:   tile.expandedHalves(expandIQ2_SAVX2),
		gguf.IQ1_M:   tile.expandedHalves(expandIQ1_M),
	}
	for _, k := range kernels {
		if k != nil {
			k.panelBytes = panelBytes
		}
	}
	return kernels
}

// expanded returns the kernels of a type that is expanded first.
func (t vnniTiles) expanded(expand expandFunc) *blockKernels {
	return &blockKernels{
		expand: expand, stream: amd64.StreamExpandedAVX2, pack: amd64.PackExpandedU8VNNI, tile: t.zero128,
		panel: 64 + StripRows*act.BlockLen,
	}
}

// expandedHalves returns those of a type with scales for each 16.
func (t vnniTiles) expandedHalves(expand expandFunc) *blockKernels {
	return &blockKernels{
		expand: expand, stream: amd64.StreamExpandedHalvesAVX2, pack: amd64.PackExpandedHalvesVNNI, tile: t.halves,
		panel: 256 + StripRows*act.BlockLen,
	}
}
