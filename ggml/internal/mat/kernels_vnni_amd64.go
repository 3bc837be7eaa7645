//go:build !purego

package mat

import (
	"mptgo/ggml/internal/mat/amd64"
	"mptgo/ggml/internal/vec"
	"mptgo/gguf"
)

// avxVNNI needs AVX-VNNI besides what avx2 needs.
var avxVNNI = Kernels{
	vec: vec.Fast,
	block: withStreams(blocksVNNI(panelBytes, vnniPanels{
		plain4:    panel(amd64.Plain4AVXVNNI),
		plain5:    panel(amd64.Plain5AVXVNNI),
		plain8:    panel(amd64.Plain8AVXVNNI),
		min:       panel(amd64.MinAVXVNNI),
		halves:    panel(amd64.HalvesAVXVNNI),
		halvesMin: panel(amd64.HalvesMinAVXVNNI),
	}), map[gguf.Type]streamFunc{
		gguf.Q4_0:   amd64.StreamQ4_0AVXVNNI,
		gguf.Q4_1:   amd64.StreamQ4_1AVXVNNI,
		gguf.Q5_0:   amd64.StreamQ5_0AVXVNNI,
		gguf.Q5_1:   amd64.StreamQ5_1AVXVNNI,
		gguf.Q2_K:   amd64.StreamQ2_KAVXVNNI,
		gguf.Q3_K:   amd64.StreamQ3_KAVXVNNI,
		gguf.Q4_K:   amd64.StreamQ4_KAVXVNNI,
		gguf.Q5_K:   amd64.StreamQ5_KAVXVNNI,
		gguf.IQ4_NL: amd64.StreamIQ4_NLAVXVNNI,
		gguf.IQ4_XS: amd64.StreamIQ4_XSAVXVNNI,
	}),
	float: &floatAVX2,
}

// avx512 needs AVX-512 F, BW, VL, DQ and VNNI besides. The higher the tiles, the less it matters
// that panels are near.
var avx512 = Kernels{
	vec: vec.Fast,
	block: withFew(withStreams(blocksVNNI(2*panelBytes, vnniPanels{
		plain4:    panel(amd64.Plain4AVX512),
		plain5:    panel(amd64.Plain5AVX512),
		plain8:    panel(amd64.Plain8AVX512),
		min:       panel(amd64.MinAVX512),
		halves:    panel(amd64.HalvesAVX512),
		halvesMin: panel(amd64.HalvesMinAVX512),
	}), map[gguf.Type]streamFunc{
		gguf.Q4_0:   amd64.StreamQ4_0AVX512,
		gguf.Q4_1:   amd64.StreamQ4_1AVX512,
		gguf.Q5_0:   amd64.StreamQ5_0AVX512,
		gguf.Q5_1:   amd64.StreamQ5_1AVX512,
		gguf.Q2_K:   amd64.StreamQ2_KAVX512,
		gguf.Q3_K:   amd64.StreamQ3_KAVX512,
		gguf.Q4_K:   amd64.StreamQ4_KAVX512,
		gguf.Q5_K:   amd64.StreamQ5_KAVX512,
		gguf.IQ4_NL: amd64.StreamIQ4_NLAVX512,
		gguf.IQ4_XS: amd64.StreamIQ4_XSAVX512,
	}), fewAVX512),
	float: &floatAVX512,
}

// avx512VBMI needs AVX-512 VBMI besides.
var avx512VBMI = Kernels{vec: vec.Fast, block: withStreams(avx512.block, map[gguf.Type]streamFunc{
	gguf.Q5_0: amd64.StreamQ5_0VBMI, gguf.Q5_1: amd64.StreamQ5_1VBMI,
}), float: &floatAVX512}

// floatAVX512 has higher tiles, and more rows of activations for rows as they lie in the file.
var floatAVX512 = func() floatKernels {
	k := floatAVX2
	tile := make(floatTiles, 15)
	copy(tile, k.types[gguf.F32].tile)
	tile[8], tile[10], tile[12], tile[14] = amd64.TileF32x8AVX512, amd64.TileF32x10AVX512, amd64.TileF32x12AVX512, amd64.TileF32x14AVX512
	k.types[gguf.F32].tile = tile
	k.types[gguf.F16].dots = []dotFunc{
		1: amd64.DotF16x1AVX2, amd64.DotF16x2AVX2, amd64.DotF16x3AVX512, amd64.DotF16x4AVX512, 6: amd64.DotF16x6AVX512,
	}
	k.types[gguf.BF16].dots = []dotFunc{
		1: amd64.DotBF16x1AVX2, amd64.DotBF16x2AVX2, amd64.DotBF16x3AVX512, amd64.DotBF16x4AVX512, 6: amd64.DotBF16x6AVX512,
	}
	k.wide = floatTiles{8: amd64.WideF32x8AVX512, 10: amd64.WideF32x10AVX512, 12: amd64.WideF32x12AVX512, 14: amd64.WideF32x14AVX512}
	return k
}()

// withStreams returns the kernels with other ones for decode.
func withStreams(kernels [len(blockTypes)]*blockKernels, streams map[gguf.Type]streamFunc) [len(blockTypes)]*blockKernels {
	for typ, stream := range streams {
		k := *kernels[typ]
		k.stream = stream
		kernels[typ] = &k
	}
	return kernels
}

// vnniPanels are the panels of unsigned bytes.
type vnniPanels struct {
	plain4, plain5, plain8 panel // codes with a scale, by zero point
	min                    panel // and a minimum
	halves                 panel // and scales for each half
	halvesMin              panel // and minima for each half
}

// blocksVNNI returns the kernels of a tier with such panels, of panelBytes at most. Where panels
// allow it, they are packed by the kernels of AVX2.
func blocksVNNI(panelBytes int, p vnniPanels) [len(blockTypes)]*blockKernels {
	kernels := [len(blockTypes)]*blockKernels{
		gguf.Q4_0:   {stream: amd64.StreamQ4_0AVX2, pack: amd64.PackQ4_0AVX2, panel: p.plain4},
		gguf.Q4_1:   {stream: amd64.StreamQ4_1AVX2, pack: amd64.PackQ4_1AVX2, panel: p.min},
		gguf.Q5_0:   {stream: amd64.StreamQ5_0AVX2, pack: amd64.PackQ5_0AVX2, panel: p.plain5},
		gguf.Q5_1:   {stream: amd64.StreamQ5_1AVX2, pack: amd64.PackQ5_1AVX2, panel: p.min},
		gguf.Q8_0:   {stream: amd64.StreamQ8_0AVX2, pack: amd64.PackQ8_0VNNI, panel: p.plain8},
		gguf.Q6_K:   {stream: amd64.StreamQ6_KAVX2, pack: amd64.PackQ6_KVNNI, panel: p.halves},
		gguf.Q5_K:   {stream: amd64.StreamQ5_KAVX2, pack: amd64.PackQ5_KAVX2, panel: p.min},
		gguf.Q4_K:   {stream: amd64.StreamQ4_KAVX2, pack: amd64.PackQ4_KAVX2, panel: p.min},
		gguf.Q3_K:   {stream: amd64.StreamQ3_KAVX2, pack: amd64.PackQ3_KVNNI, panel: p.halves},
		gguf.Q2_K:   {stream: amd64.StreamQ2_KAVX2, pack: amd64.PackQ2_KVNNI, panel: p.halvesMin},
		gguf.IQ4_NL: {stream: amd64.StreamIQ4_NLAVX2, pack: amd64.PackIQ4_NLVNNI, panel: p.plain8},
		gguf.IQ4_XS: {stream: amd64.StreamIQ4_XSAVX2, pack: amd64.PackIQ4_XSVNNI, panel: p.plain8},

		gguf.IQ3_S:   p.expanded(expandIQ3_SAVX2),
		gguf.IQ3_XXS: p.expanded(expandIQ3_XXSAVX2),
		gguf.IQ2_XXS: p.expanded(expandIQ2_XXSAVX2),
		gguf.IQ1_S:   p.expanded(expandIQ1_S),
		gguf.TQ1_0:   p.expanded(expandTQ1_0AVX2),
		gguf.TQ2_0:   p.expanded(expandTQ2_0AVX2),
		gguf.MXFP4:   p.expanded(expandMXFP4),
		gguf.IQ2_XS:  p.expandedHalves(expandIQ2_XSAVX2),
		gguf.IQ2_S:   p.expandedHalves(expandIQ2_SAVX2),
		gguf.IQ1_M:   p.expandedHalves(expandIQ1_M),
	}
	for _, k := range kernels {
		if k != nil {
			k.panelBytes = panelBytes
		}
	}
	return kernels
}

// expanded returns the kernels of a type that is expanded first.
func (p vnniPanels) expanded(expand expandFunc) *blockKernels {
	return &blockKernels{expand: expand, stream: amd64.StreamExpandedAVX2, pack: amd64.PackExpandedPlain8VNNI, panel: p.plain8}
}

// expandedHalves returns those of a type with scales for each 16.
func (p vnniPanels) expandedHalves(expand expandFunc) *blockKernels {
	return &blockKernels{
		expand: expand, stream: amd64.StreamExpandedHalvesAVX2, pack: amd64.PackExpandedHalvesVNNI, panel: p.halves,
	}
}
