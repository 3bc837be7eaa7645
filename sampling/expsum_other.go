//go:build !amd64 || purego

package sampling

func expSumFast([]float32, float64) (n int, sum float64) { return 0, 0 }
