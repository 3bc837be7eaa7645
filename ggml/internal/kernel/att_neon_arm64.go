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

// weighRow adds up elements from e on of the values of a page from position
// from to before to for query r: few enough positions at a time to find them in
// the nearest caches again, since the kernel goes over them several times.
func (a *attention) weighRow(partial []float32, r int, page *KVPage, from, to, e int) {
	const near = 128
	stride, typ := a.kv.ValueStride(), a.kv.ValueType
	if blocked(typ) {
		a.weighBlocks(partial, a.s.scores[r*Chunk+from:], a.kv.valuesFrom(page, a.KV, from), to-from, a.fetchValues(page, from, to))
		return
	}
	passes := (stride-e)/32 + (stride-e)%32/8
	for ; from < to; from += near {
		ahead := a.fetchValues(page, from, to)
		ahead.step /= passes
		values := a.kv.valuesFrom(page, a.KV, from)[e*cacheBits(typ)/8:]
		multiplyRow(typ, &partial[e], &a.s.scores[r*Chunk+from], values, stride, min(near, to-from), stride-e, ahead)
	}
}
