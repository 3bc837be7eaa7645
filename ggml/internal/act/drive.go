//go:build !purego && (amd64 || arm64)

package act

import "unsafe"

// Fast are the kernels around quantizeActs and sortLanes of the architecture.
var Fast = Kernels{Quantize: quantizeFast, sort: sortLanes}

// quantizeFast works like quantizeGeneric.
func quantizeFast(blocks []Block, wide []WideBlock, x []float32) {
	_ = x[len(blocks)*BlockLen-1]
	_ = wide[len(blocks)-1]
	quantizeActs((*byte)(unsafe.Pointer(&blocks[0])), (*byte)(unsafe.Pointer(&wide[0])), &x[0], len(blocks))
}
