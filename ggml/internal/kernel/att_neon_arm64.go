//go:build !purego

package kernel

import "math"

var attNEON = attKernels{storeColumn: storeColumnFast, attend: attendTiles}

// exponentialsFast adds slope·(distance+j) to the first n scores of a chunk, and
// works on them like exponentials.
func exponentialsFast(s []float32, n int, slope float32, distance int) softmax {
	s = s[:(n+lanes-1)/lanes*lanes]
	if slope != 0 {
		biasx8NEON(&s[0], len(s), slope, distance)
	}
	for j := n; j < len(s); j++ {
		s[j] = float32(math.Inf(-1)) // nothing to the maximum and to the sums
	}
	top := topx8NEON(&s[0], len(s))
	var sum [lanes]float32
	exponentialsx16NEON(&sum, &s[0], len(s), top)
	return softmax{top, Fold(&sum)}
}

// weighRows adds to partial elements from e on of the first n values, each times its
// weight. The kernel goes over them several times.
func (a *attention) weighRows(partial, weights []float32, values []byte, n, e int, ahead fetch) {
	stride, typ := a.kv.ValueStride(), a.kv.ValueType
	if blocked(typ) {
		a.weighBlocks(partial, weights, values, n, ahead)
		return
	}
	ahead.step /= (stride-e)/32 + (stride-e)%32/8
	multiplyRow(typ, &partial[e], &weights[0], values[e*cacheBits(typ)/8:], stride, n, stride-e, ahead)
}
