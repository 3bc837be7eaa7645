// Package vec has the loops over vectors that quantising with products of inputs spends
// its time in. Every loop has one definition, in Go, and gives its bits on every CPU:
// products are rounded before they are added, and sums have lanes.
package vec

// lanes is in how many sums the products of two vectors are added up: value i goes to
// sum i mod lanes.
const lanes = 16

// AddScaled adds a·x to y. X must be at least as long as y.
func AddScaled(y []float32, a float32, x []float32) {
	n := addScaledFast(y, a, x)
	for i, v := range x[n:len(y)] {
		y[n+i] += float32(a * v)
	}
}

// AddProducts adds a·x to four vectors of n values, ldy apart in y: to value i of vector
// k, one after the other, a[4j+k]·x[j*ldx+i] for j = 0, 1, ... len(a)/4-1.
func AddProducts(y []float32, ldy, n int, a, x []float32, ldx int) {
	m := len(a) / 4
	if m == 0 || n == 0 {
		return
	}
	y, x = y[:3*ldy+n], x[:(m-1)*ldx+n]
	done := addProductsFast(y, ldy, n, a, x, ldx)
	if done == n {
		return
	}
	for k := range 4 {
		row := y[k*ldy:][:n]
		for j := range m {
			for i, v := range x[j*ldx:][done:n] {
				row[done+i] += float32(a[4*j+k] * v)
			}
		}
	}
}

// Dot returns Σ x·y. Y must be at least as long as x.
func Dot(x, y []float64) float64 {
	var sum [lanes]float64
	n := dotFast(&sum, x, y)
	return finish(&sum, x, y, n)
}

// DotWide is [Dot] of float32, in float64.
func DotWide(x, y []float32) float64 {
	var sum [lanes]float64
	n := dotWideFast(&sum, x, y)
	return finish(&sum, x, y, n)
}

// finish adds the products from value n on to the lanes, which have those before, and
// returns the sum of them all. N is a multiple of the number of lanes.
func finish[T float32 | float64](sum *[lanes]float64, x, y []T, n int) float64 {
	x, y = x[n:], y[n:len(x)]
	for len(x) >= lanes {
		a, b := (*[lanes]T)(x), (*[lanes]T)(y)
		for l := range sum {
			sum[l] += float64(float64(a[l]) * float64(b[l]))
		}
		x, y = x[lanes:], y[lanes:]
	}
	for l, v := range x {
		sum[l] += float64(float64(v) * float64(y[l]))
	}
	fold4 := func(l int) float64 { return (sum[l] + sum[l+8]) + (sum[l+4] + sum[l+12]) }
	return (fold4(0) + fold4(2)) + (fold4(1) + fold4(3))
}
