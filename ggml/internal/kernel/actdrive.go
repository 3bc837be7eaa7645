//go:build !purego && (amd64 || arm64)

package kernel

import "unsafe"

// quantizeFast works like quantizeGeneric. The architecture has quantizeActs.
func quantizeFast(blocks []actBlock, wide []wideBlock, x []float32) {
	_ = x[len(blocks)*actBlockLen-1]
	_ = wide[len(blocks)-1]
	quantizeActs((*byte)(unsafe.Pointer(&blocks[0])), (*byte)(unsafe.Pointer(&wide[0])), &x[0], len(blocks))
}
