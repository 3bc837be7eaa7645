//go:build !purego

package kernel

//go:generate go run -C _gen/mat . ../..

import (
	"unsafe"

	"mptgo/gguf"
)

// matAVX2 needs AVX2, FMA3 and F16C.
var matAVX2 = matKernels{
	quantize: quantizeFast,
	block: [len(blockTypes)]*blockKernels{
		gguf.Q4_0: {
			stream: streamQ4_0, pack: packQ4_0, panel: 64 + 512,
			tile: tileFuncs{2: tileU4x2, tileU4x3, tileU4x4},
		},
		gguf.Q4_1: {
			stream: streamQ4_1, pack: packQ4_1, panel: 128 + 512,
			tile: tileFuncs{2: tileU4Minx2, tileU4Minx3, tileU4Minx4},
		},
		gguf.Q5_0: {
			stream: streamQ5_0, pack: packQ5_0, panel: 64 + 512,
			tile: tileFuncs{2: tileU5x2, tileU5x3, tileU5x4},
		},
		gguf.Q5_1: {
			stream: streamQ5_1, pack: packQ5_1, panel: 128 + 512,
			tile: tileFuncs{2: tileU5Minx2, tileU5Minx3, tileU5Minx4},
		},
		gguf.Q8_0: {
			stream: streamQ8_0, pack: packQ8_0, panel: 64 + 1024, wide: true,
			tile: tileFuncs{2: tileS16x2, tileS16x3, tileS16x4},
		},
		gguf.Q6_K: {
			stream: streamQ6_K, pack: packQ6_K, panel: 256 + 512,
			tile: tileFuncs{2: tileU6x2, tileU6x3, tileU6x4},
		},
		gguf.Q5_K: {
			stream: streamQ5_K, pack: packQ5_K, panel: 128 + 512,
			tile: tileFuncs{2: tileU5Minx2, tileU5Minx3, tileU5Minx4},
		},
		gguf.Q4_K: {
			stream: streamQ4_K, pack: packQ4_K, panel: 128 + 512,
			tile: tileFuncs{2: tileU4Minx2, tileU4Minx3, tileU4Minx4},
		},
		gguf.Q3_K: {
			stream: streamQ3_K, pack: packQ3_K, panel: 256 + 512,
			tile: tileFuncs{2: tileU3x2, tileU3x3, tileU3x4},
		},
		gguf.Q2_K: {
			stream: streamQ2_K, pack: packQ2_K, panel: 320 + 512,
			tile: tileFuncs{2: tileU3Minx2, tileU3Minx3, tileU3Minx4},
		},
		gguf.IQ4_NL: {
			stream: streamIQ4_NL, pack: packIQ4_NL, panel: 64 + 1024, wide: true,
			tile: tileFuncs{2: tileS16x2, tileS16x3, tileS16x4},
		},
		gguf.IQ4_XS: {
			stream: streamIQ4_XS, pack: packIQ4_XS, panel: 64 + 1024, wide: true,
			tile: tileFuncs{2: tileS16x2, tileS16x3, tileS16x4},
		},
		gguf.IQ3_S:   expandedU5(expandIQ3_SAVX2),
		gguf.IQ1_S:   expandedU5(expandIQ1_S),
		gguf.TQ1_0:   expandedU5(expandTQ1_0AVX2),
		gguf.TQ2_0:   expandedU5(expandTQ2_0AVX2),
		gguf.MXFP4:   expandedU5(expandMXFP4),
		gguf.IQ3_XXS: expandedS16(expandIQ3_XXSAVX2, streamExpanded),
		gguf.IQ2_XXS: expandedS16(expandIQ2_XXSAVX2, streamExpanded),
		gguf.IQ2_XS:  expandedS16(expandIQ2_XSAVX2, streamExpandedHalves),
		gguf.IQ2_S:   expandedS16(expandIQ2_SAVX2, streamExpandedHalves),
		gguf.IQ1_M:   expandedS16(expandIQ1_M, streamExpandedHalves),
	},
	float: &floatAVX2,
}

// expandedU5 returns the kernels of a type whose weights are from -16 to 15.
func expandedU5(expand expandFunc) *blockKernels {
	return &blockKernels{
		expand: expand, stream: streamExpanded, pack: packExpandedU5, panel: 64 + 512,
		tile: tileFuncs{2: tileU5x2, tileU5x3, tileU5x4},
	}
}

// expandedS16 returns the kernels of other types.
func expandedS16(expand expandFunc, stream streamFunc) *blockKernels {
	return &blockKernels{
		expand: expand, stream: stream, pack: packExpandedS16, panel: 64 + 1024, wide: true,
		tile: tileFuncs{2: tileS16x2, tileS16x3, tileS16x4},
	}
}

var floatAVX2 = floatKernels{
	types: [len(floatTypes)]floatTypeKernels{
		gguf.F32:  {dot: dotF32, pack: packF32},
		gguf.F16:  {dot: dotF16, pack: packF16},
		gguf.BF16: {dot: dotBF16, pack: packBF16},
	},
	fold: fold4,
	sort: sortLanes,
	tile: []floatTileFunc{1: tileFloatx1, tileFloatx2, tileFloatx3, tileFloatx4, tileFloatx5, tileFloatx6},
}

// The expanders of types with blocks of 256, the number of which is a multiple of
// eight times as many expanded ones.

func expandIQ2_XXSAVX2(dst []expandedBlock, row []byte) {
	expandAVX2(expandBlocksIQ2_XXS, 66, pointsIQ2_XXS(), dst, row)
}

func expandIQ2_XSAVX2(dst []expandedBlock, row []byte) {
	expandAVX2(expandBlocksIQ2_XS, 74, pointsIQ2_XS(), dst, row)
}

func expandIQ2_SAVX2(dst []expandedBlock, row []byte) {
	expandAVX2(expandBlocksIQ2_S, 82, pointsIQ2_S(), dst, row)
}

func expandIQ3_XXSAVX2(dst []expandedBlock, row []byte) {
	expandAVX2(expandBlocksIQ3_XXS, 98, pointsIQ3_XXS(), dst, row)
}

func expandIQ3_SAVX2(dst []expandedBlock, row []byte) {
	expandAVX2(expandBlocksIQ3_S, 110, pointsIQ3_S(), dst, row)
}

func expandTQ1_0AVX2(dst []expandedBlock, row []byte) {
	expandAVX2(expandBlocksTQ1_0, 54, nil, dst, row)
}

func expandTQ2_0AVX2(dst []expandedBlock, row []byte) {
	expandAVX2(expandBlocksTQ2_0, 66, nil, dst, row)
}

func expandAVX2(kernel func(dst, w *byte, n int, grid, masks *uint64), size int, grid []uint64, dst []expandedBlock, row []byte) {
	n := len(dst) / superBlock
	if n == 0 {
		return
	}
	_ = row[n*size-1]
	kernel((*byte)(unsafe.Pointer(&dst[0])), &row[0], n, unsafe.SliceData(grid), &evenMasks[0])
}
