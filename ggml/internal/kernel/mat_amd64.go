//go:build !purego

package kernel

//go:generate go run -C _gen/mat . ../..

import (
	"unsafe"

	"mptgo/gguf"
)

// matAVX2 needs AVX2, FMA3 and F16C.
var matAVX2 = matKernels{
	quantize: quantizeAVX2,
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
	},
	float: &floatAVX2,
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

func quantizeAVX2(blocks []actBlock, wide []wideBlock, x []float32) {
	_ = x[len(blocks)*actBlockLen-1]
	_ = wide[len(blocks)-1]
	quantizeActs((*byte)(unsafe.Pointer(&blocks[0])), (*byte)(unsafe.Pointer(&wide[0])), &x[0], len(blocks))
}
