//go:build !amd64 || purego

package vec

func addScaledFast(y []float32, a float32, x []float32) int { return 0 }

func addProductsFast(y []float32, ldy, n int, a, x []float32, ldx int) int { return 0 }

func dotFast(sum *[lanes]float64, x, y []float64) int { return 0 }

func dotWideFast(sum *[lanes]float64, x, y []float32) int { return 0 }
