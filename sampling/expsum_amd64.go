//go:build !purego

package sampling

import (
	"math"

	"github.com/klauspost/cpuid/v2"
)

var avx2 = cpuid.CPU.Supports(cpuid.AVX, cpuid.AVX2)

// expConstants is what the kernel needs besides its arguments, each number for four lanes.
type expConstants struct {
	top, least, log2E, half, ln2High, ln2Low [4]float64
	bias                                     [4]int32 // of the exponents of float64
	_                                        [4]int32
	taylor                                   [len(taylor)][4]float64
}

var expTable = func() (c expConstants) {
	c.least, c.log2E, c.half = lanes(leastExp), lanes(math.Log2E), lanes(0.5)
	c.ln2High, c.ln2Low, c.bias = lanes(ln2High), lanes(ln2Low), [4]int32{1023, 1023, 1023, 1023}
	for i, t := range taylor {
		c.taylor[i] = lanes(t)
	}
	return c
}()

func lanes(x float64) [4]float64 { return [4]float64{x, x, x, x} }

// largestFast works like largest for the first n logits.
func largestFast(logits []float32) (n int, top float64) {
	if n = len(logits) &^ 31; !avx2 || n == 0 {
		return 0, math.Inf(-1)
	}
	top = math.Inf(-1)
	for i := 0; i < n; i += expSpan {
		var lanes [8]float32
		if !largestx32(&logits[i], min(expSpan, n-i), &lanes) {
			return n, math.NaN()
		}
		for _, v := range lanes {
			top = max(top, float64(v))
		}
	}
	return n, top
}

// largestx32 sets top to the largest of every eighth of n logits, a multiple of 32. It is false if one
// of them is NaN, and top has no meaning.
//
//go:noescape
func largestx32(logits *float32, n int, top *[8]float32) (numbers bool)

// expSumFast works like expSum for the first n logits.
func expSumFast(logits []float32, top float64) (n int, sum float64) {
	if n = len(logits) &^ 3; !avx2 || n == 0 {
		return 0, 0
	}
	c := expTable
	c.top = lanes(top)
	for i := 0; i < n; i += expSpan {
		sum = expSumx4(&logits[i], min(expSpan, n-i), &c, sum)
	}
	return n, sum
}

// expSpan is how many logits the kernel takes at a time: a goroutine in it cannot be stopped for
// 10 to 50 us.
const expSpan = 8192

// expSumx4 adds to from the exponentials of n logits, a multiple of 4.
//
//go:noescape
func expSumx4(logits *float32, n int, c *expConstants, from float64) (sum float64)
