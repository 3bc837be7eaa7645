//go:build !purego

package mat

import (
	"unsafe"

	"mptgo/ggml/internal/mat/amd64"
	"mptgo/ggml/internal/vec"
	"mptgo/gguf"
)

// avx2 needs AVX2, FMA3 and F16C.
var avx2 = Kernels{
	vec: vec.Fast,
	block: [len(blockTypes)]*blockKernels{
		gguf.Q4_0:   {stream: amd64.StreamQ4_0AVX2, pack: amd64.PackQ4_0AVX2, panel: panel(amd64.Plain4AVX2)},
		gguf.Q4_1:   {stream: amd64.StreamQ4_1AVX2, pack: amd64.PackQ4_1AVX2, panel: panel(amd64.Min4AVX2)},
		gguf.Q5_0:   {stream: amd64.StreamQ5_0AVX2, pack: amd64.PackQ5_0AVX2, panel: panel(amd64.Plain5AVX2)},
		gguf.Q5_1:   {stream: amd64.StreamQ5_1AVX2, pack: amd64.PackQ5_1AVX2, panel: panel(amd64.Min5AVX2)},
		gguf.Q8_0:   {stream: amd64.StreamQ8_0AVX2, pack: amd64.PackQ8_0AVX2, panel: panel(amd64.Plain16AVX2)},
		gguf.Q6_K:   {stream: amd64.StreamQ6_KAVX2, pack: amd64.PackQ6_KAVX2, panel: panel(amd64.Halves6AVX2)},
		gguf.Q5_K:   {stream: amd64.StreamQ5_KAVX2, pack: amd64.PackQ5_KAVX2, panel: panel(amd64.Min5AVX2)},
		gguf.Q4_K:   {stream: amd64.StreamQ4_KAVX2, pack: amd64.PackQ4_KAVX2, panel: panel(amd64.Min4AVX2)},
		gguf.Q3_K:   {stream: amd64.StreamQ3_KAVX2, pack: amd64.PackQ3_KAVX2, panel: panel(amd64.Halves3AVX2)},
		gguf.Q2_K:   {stream: amd64.StreamQ2_KAVX2, pack: amd64.PackQ2_KAVX2, panel: panel(amd64.HalvesMin3AVX2)},
		gguf.IQ4_NL: {stream: amd64.StreamIQ4_NLAVX2, pack: amd64.PackIQ4_NLAVX2, panel: panel(amd64.Plain16AVX2)},
		gguf.IQ4_XS: {stream: amd64.StreamIQ4_XSAVX2, pack: amd64.PackIQ4_XSAVX2, panel: panel(amd64.Plain16AVX2)},

		gguf.IQ3_S:   expandedPlain5(expandIQ3_SAVX2),
		gguf.IQ1_S:   expandedPlain5(expandIQ1_S),
		gguf.TQ1_0:   expandedPlain5(expandTQ1_0AVX2),
		gguf.TQ2_0:   expandedPlain5(expandTQ2_0AVX2),
		gguf.MXFP4:   expandedPlain5(expandMXFP4),
		gguf.IQ3_XXS: expandedPlain16(expandIQ3_XXSAVX2, amd64.StreamExpandedAVX2),
		gguf.IQ2_XXS: expandedPlain16(expandIQ2_XXSAVX2, amd64.StreamExpandedAVX2),
		gguf.IQ2_XS:  expandedPlain16(expandIQ2_XSAVX2, amd64.StreamExpandedHalvesAVX2),
		gguf.IQ2_S:   expandedPlain16(expandIQ2_SAVX2, amd64.StreamExpandedHalvesAVX2),
		gguf.IQ1_M:   expandedPlain16(expandIQ1_M, amd64.StreamExpandedHalvesAVX2),
	},
	float: &floatAVX2,
}

// expandedPlain5 returns the kernels of a type whose weights are from -16 to 15.
func expandedPlain5(expand expandFunc) *blockKernels {
	return &blockKernels{
		expand: expand, stream: amd64.StreamExpandedAVX2, pack: amd64.PackExpandedPlain5AVX2, panel: panel(amd64.Plain5AVX2),
	}
}

// expandedPlain16 returns the kernels of other types.
func expandedPlain16(expand expandFunc, stream streamFunc) *blockKernels {
	return &blockKernels{expand: expand, stream: stream, pack: amd64.PackExpandedPlain16AVX2, panel: panel(amd64.Plain16AVX2)}
}

var floatAVX2 = floatKernels{
	decode: decodersAVX2, near: 8 << 10,
	types: [len(floatTypes)]floatTypeKernels{
		gguf.F32: {
			dots: []dotFunc{1: amd64.DotF32x1AVX2}, pack: amd64.PackF32AVX2, thin: amd64.ThinF32AVX2,
			tile: []floatTileFunc{1: amd64.TileF32x1AVX2, amd64.TileF32x2AVX2, amd64.TileF32x3AVX2, amd64.TileF32x4AVX2, amd64.TileF32x5AVX2, amd64.TileF32x6AVX2},
		},
		gguf.F16: {
			dots: []dotFunc{1: amd64.DotF16x1AVX2, amd64.DotF16x2AVX2, amd64.DotF16x3AVX2},
			pack: amd64.PackF16AVX2, thin: amd64.ThinF16AVX2,
			tile: []floatTileFunc{1: amd64.TileF16x1AVX2, amd64.TileF16x2AVX2, amd64.TileF16x3AVX2, amd64.TileF16x4AVX2, amd64.TileF16x5AVX2, amd64.TileF16x6AVX2},
		},
		gguf.BF16: {
			dots: []dotFunc{1: amd64.DotBF16x1AVX2, amd64.DotBF16x2AVX2, amd64.DotBF16x3AVX2},
			pack: amd64.PackBF16AVX2, thin: amd64.ThinBF16AVX2,
			tile: []floatTileFunc{1: amd64.TileBF16x1AVX2, amd64.TileBF16x2AVX2, amd64.TileBF16x3AVX2, amd64.TileBF16x4AVX2, amd64.TileBF16x5AVX2, amd64.TileBF16x6AVX2},
		},
	},
	fold: amd64.Fold4AVX2,
}

// The expanders of types with blocks of 256, the number of which is a multiple of
// eight times as many expanded ones.

func expandIQ2_XXSAVX2(dst []expandedBlock, row []byte) {
	expandAVX2(amd64.ExpandIQ2_XXSAVX2, blockSizes[gguf.IQ2_XXS], pointsIQ2_XXS(), dst, row)
}

func expandIQ2_XSAVX2(dst []expandedBlock, row []byte) {
	expandAVX2(amd64.ExpandIQ2_XSAVX2, blockSizes[gguf.IQ2_XS], pointsIQ2_XS(), dst, row)
}

func expandIQ2_SAVX2(dst []expandedBlock, row []byte) {
	expandAVX2(amd64.ExpandIQ2_SAVX2, blockSizes[gguf.IQ2_S], pointsIQ2_S(), dst, row)
}

func expandIQ3_XXSAVX2(dst []expandedBlock, row []byte) {
	expandAVX2(amd64.ExpandIQ3_XXSAVX2, blockSizes[gguf.IQ3_XXS], pointsIQ3_XXS(), dst, row)
}

func expandIQ3_SAVX2(dst []expandedBlock, row []byte) {
	expandAVX2(amd64.ExpandIQ3_SAVX2, blockSizes[gguf.IQ3_S], pointsIQ3_S(), dst, row)
}

func expandTQ1_0AVX2(dst []expandedBlock, row []byte) {
	expandAVX2(amd64.ExpandTQ1_0AVX2, blockSizes[gguf.TQ1_0], nil, dst, row)
}

func expandTQ2_0AVX2(dst []expandedBlock, row []byte) {
	expandAVX2(amd64.ExpandTQ2_0AVX2, blockSizes[gguf.TQ2_0], nil, dst, row)
}

func expandAVX2(kernel func(dst, w *byte, n int, grid, masks *uint64), size int, grid []uint64, dst []expandedBlock, row []byte) {
	n := len(dst) / superBlock
	if n == 0 {
		return
	}
	_ = row[n*size-1]
	kernel((*byte)(unsafe.Pointer(&dst[0])), &row[0], n, unsafe.SliceData(grid), &evenMasks[0])
}
