//go:build !purego

package att

import (
	"math"

	"mptgo/ggml/internal/act"
	"mptgo/ggml/internal/att/arm64"
	"mptgo/ggml/internal/cpu"
	"mptgo/ggml/internal/scalar"
	"mptgo/ggml/internal/vec"
)

var neon = Kernels{
	vec: vec.Fast, act: act.Fast, storeColumn: storeColumnFast, attend: attendTiles, gram: gramFast,
}

// exponentialsFast adds slope·(distance+j) to the first n scores of a chunk, and
// works on them like exponentials.
func exponentialsFast(s []float32, n int, slope float32, distance int) softmax {
	s = s[:(n+scalar.Lanes-1)/scalar.Lanes*scalar.Lanes]
	if slope != 0 {
		arm64.Biasx8(&s[0], len(s), slope, distance)
	}
	for j := n; j < len(s); j++ {
		s[j] = float32(math.Inf(-1)) // nothing to the maximum and to the sums
	}
	top := arm64.Topx8(&s[0], len(s))
	var sum [scalar.Lanes]float32
	arm64.Exponentialsx16(&sum, &s[0], len(s), top)
	return softmax{top, scalar.Fold(&sum)}
}

// weighRows adds to partial elements from e on of the first n values, each times its
// weight. The kernel goes over them several times.
func (a *attention) weighRows(partial, weights []float32, values []byte, n, e int, ahead cpu.Fetch) {
	stride, typ := a.kv.ValueStride(), a.kv.ValueType
	if blocked(typ) {
		a.weighBlocks(partial, weights, values, n, ahead)
		return
	}
	ahead.Step /= (stride-e)/32 + (stride-e)%32/8
	multiplyRow(typ, &partial[e], &weights[0], values[e*cacheBits(typ)/8:], stride, n, stride-e, ahead)
}
