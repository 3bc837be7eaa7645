//go:build !purego

package vec

import "github.com/klauspost/cpuid/v2"

var (
	avx2   = cpuid.CPU.Supports(cpuid.AVX, cpuid.AVX2)
	avx512 = avx2 && cpuid.CPU.Supports(cpuid.AVX512F)
)

// What each of them returns is how many values it has taken, a multiple of what one
// round takes; the rest is for plain Go.

func addScaledFast(y []float32, a float32, x []float32) int {
	n := len(y) &^ 7
	if !avx2 || n == 0 {
		return 0
	}
	_ = x[n-1]
	addScaledx8(&y[0], &x[0], n, a)
	return n
}

func addProductsFast(y []float32, ldy, n int, a, x []float32, ldx int) int {
	if n &^= 15; !avx2 || n == 0 {
		return 0
	}
	done := 0
	if avx512 && n >= 32 {
		done = n &^ 31
		addProducts4x32(&y[0], ldy, done, &a[0], len(a)/4, &x[0], ldx)
	}
	if done < n {
		addProducts4x16(&y[done], ldy, n-done, &a[0], len(a)/4, &x[done], ldx)
	}
	return n
}

func dotFast(sum *[lanes]float64, x, y []float64) int {
	n := len(x) &^ (lanes - 1)
	if !avx2 || n == 0 {
		return 0
	}
	_ = y[n-1]
	dotx16(sum, &x[0], &y[0], n)
	return n
}

func dotWideFast(sum *[lanes]float64, x, y []float32) int {
	n := len(x) &^ (lanes - 1)
	if !avx2 || n == 0 {
		return 0
	}
	_ = y[n-1]
	dotWidex16(sum, &x[0], &y[0], n)
	return n
}

//go:noescape
func addScaledx8(y, x *float32, n int, a float32)

//go:noescape
func addProducts4x16(y *float32, ldy, n int, a *float32, m int, x *float32, ldx int)

//go:noescape
func addProducts4x32(y *float32, ldy, n int, a *float32, m int, x *float32, ldx int)

//go:noescape
func dotx16(sum *[lanes]float64, x, y *float64, n int)

//go:noescape
func dotWidex16(sum *[lanes]float64, x, y *float32, n int)
