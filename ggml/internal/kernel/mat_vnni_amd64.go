//go:build !purego

package kernel

import "mptgo/gguf"

// matAVXVNNI needs AVX-VNNI besides what matAVX2 needs.
var matAVXVNNI = matKernels{
	quantize: quantizeFast,
	block: withStreams(blocksVNNI(panelBytes, vnniTiles{
		zero8:   tileFuncs{2: tileU4x2AVXVNNI, tileU4x3AVXVNNI, tileU4x4AVXVNNI},
		zero16:  tileFuncs{2: tileU5x2AVXVNNI, tileU5x3AVXVNNI, tileU5x4AVXVNNI},
		zero128: tileFuncs{2: tileU8x2AVXVNNI, tileU8x3AVXVNNI, tileU8x4AVXVNNI},
		min:     tileFuncs{2: tileMinx2AVXVNNI, tileMinx3AVXVNNI, tileMinx4AVXVNNI},
		halves:  tileFuncs{2: tileU6x2AVXVNNI, tileU6x3AVXVNNI, tileU6x4AVXVNNI},
		minima:  tileFuncs{2: tileU6Minx2AVXVNNI, tileU6Minx3AVXVNNI, tileU6Minx4AVXVNNI},
	}), map[gguf.Type]streamFunc{
		gguf.Q4_0: streamQ4_0AVXVNNI, gguf.Q4_1: streamQ4_1AVXVNNI, gguf.Q5_0: streamQ5_0AVXVNNI, gguf.Q5_1: streamQ5_1AVXVNNI,
		gguf.Q2_K: streamQ2_KAVXVNNI, gguf.Q3_K: streamQ3_KAVXVNNI, gguf.Q4_K: streamQ4_KAVXVNNI, gguf.Q5_K: streamQ5_KAVXVNNI,
		gguf.IQ4_NL: streamIQ4_NLAVXVNNI, gguf.IQ4_XS: streamIQ4_XSAVXVNNI,
	}),
	float: &floatAVX2,
}

// matAVX512 needs AVX-512 F, BW, VL, DQ and VNNI besides.
var matAVX512 = matKernels{
	quantize: quantizeFast,
	block: withStreams(blocksVNNI(2*panelBytes, vnniTiles{
		zero8: tileFuncs{2: tileU4x2AVX512, tileU4x3AVX512, tileU4x4AVX512, tileU4x5AVX512, tileU4x6AVX512,
			tileU4x7AVX512, tileU4x8AVX512, tileU4x9AVX512, tileU4x10AVX512, tileU4x11AVX512,
			tileU4x12AVX512, tileU4x13AVX512, tileU4x14AVX512},
		zero16: tileFuncs{2: tileU5x2AVX512, tileU5x3AVX512, tileU5x4AVX512, tileU5x5AVX512, tileU5x6AVX512,
			tileU5x7AVX512, tileU5x8AVX512, tileU5x9AVX512, tileU5x10AVX512, tileU5x11AVX512,
			tileU5x12AVX512, tileU5x13AVX512, tileU5x14AVX512},
		zero128: tileFuncs{2: tileU8x2AVX512, tileU8x3AVX512, tileU8x4AVX512, tileU8x5AVX512, tileU8x6AVX512,
			tileU8x7AVX512, tileU8x8AVX512, tileU8x9AVX512, tileU8x10AVX512, tileU8x11AVX512,
			tileU8x12AVX512, tileU8x13AVX512, tileU8x14AVX512},
		min: tileFuncs{2: tileMinx2AVX512, tileMinx3AVX512, tileMinx4AVX512, tileMinx5AVX512, tileMinx6AVX512,
			tileMinx7AVX512, tileMinx8AVX512, tileMinx9AVX512, tileMinx10AVX512, tileMinx11AVX512,
			tileMinx12AVX512, tileMinx13AVX512, tileMinx14AVX512},
		halves: tileFuncs{2: tileU6x2AVX512, tileU6x3AVX512, tileU6x4AVX512, tileU6x5AVX512, tileU6x6AVX512,
			tileU6x7AVX512, tileU6x8AVX512, tileU6x9AVX512},
		minima: tileFuncs{2: tileU6Minx2AVX512, tileU6Minx3AVX512, tileU6Minx4AVX512, tileU6Minx5AVX512,
			tileU6Minx6AVX512, tileU6Minx7AVX512, tileU6Minx8AVX512, tileU6Minx9AVX512},
	}), map[gguf.Type]streamFunc{
		gguf.Q4_0: streamQ4_0AVX512, gguf.Q4_1: streamQ4_1AVX512, gguf.Q5_0: streamQ5_0AVX512, gguf.Q5_1: streamQ5_1AVX512,
		gguf.Q2_K: streamQ2_KAVX512, gguf.Q3_K: streamQ3_KAVX512, gguf.Q4_K: streamQ4_KAVX512, gguf.Q5_K: streamQ5_KAVX512,
		gguf.IQ4_NL: streamIQ4_NLAVX512, gguf.IQ4_XS: streamIQ4_XSAVX512,
	}),
	float: &floatAVX2,
}

// matAVX512VBMI needs AVX-512 VBMI besides.
var matAVX512VBMI = matKernels{quantize: quantizeFast, block: withStreams(matAVX512.block, map[gguf.Type]streamFunc{
	gguf.Q5_0: streamQ5_0VBMI, gguf.Q5_1: streamQ5_1VBMI,
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
	const codes = StripRows * actBlockLen
	kernels := [len(blockTypes)]*blockKernels{
		gguf.Q4_0: {stream: streamQ4_0, pack: packQ4_0, tile: tile.zero8, panel: 64 + codes},
		gguf.Q4_1: {stream: streamQ4_1, pack: packQ4_1, tile: tile.min, panel: 128 + codes},
		gguf.Q5_0: {stream: streamQ5_0, pack: packQ5_0, tile: tile.zero16, panel: 64 + codes},
		gguf.Q5_1: {stream: streamQ5_1, pack: packQ5_1, tile: tile.min, panel: 128 + codes},
		gguf.Q8_0: {stream: streamQ8_0, pack: packQ8_0VNNI, tile: tile.zero128, panel: 64 + codes},
		gguf.Q6_K: {stream: streamQ6_K, pack: packQ6_KVNNI, tile: tile.halves, panel: 256 + codes},
		gguf.Q5_K: {stream: streamQ5_K, pack: packQ5_K, tile: tile.min, panel: 128 + codes},
		gguf.Q4_K: {stream: streamQ4_K, pack: packQ4_K, tile: tile.min, panel: 128 + codes},
		gguf.Q3_K: {stream: streamQ3_K, pack: packQ3_KVNNI, tile: tile.halves, panel: 256 + codes},
		gguf.Q2_K: {stream: streamQ2_K, pack: packQ2_KVNNI, tile: tile.minima, panel: 320 + codes},

		gguf.IQ4_NL: {stream: streamIQ4_NL, pack: packIQ4_NLVNNI, tile: tile.zero128, panel: 64 + codes},
		gguf.IQ4_XS: {stream: streamIQ4_XS, pack: packIQ4_XSVNNI, tile: tile.zero128, panel: 64 + codes},

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
		expand: expand, stream: streamExpanded, pack: packExpandedU8, tile: t.zero128,
		panel: 64 + StripRows*actBlockLen,
	}
}

// expandedHalves returns those of a type with scales for each 16.
func (t vnniTiles) expandedHalves(expand expandFunc) *blockKernels {
	return &blockKernels{
		expand: expand, stream: streamExpandedHalves, pack: packExpandedHalves, tile: t.halves,
		panel: 256 + StripRows*actBlockLen,
	}
}
