package sampling

// largest returns the largest of logits, NaN if one of them is NaN, and -Inf if there are none.
func largest(logits []float32) float64 {
	n, top := largestFast(logits)
	for _, v := range logits[n:] {
		top = max(top, float64(v))
	}
	return top
}

// expSum returns the sum of exp(x-top) of logits, none of which is above top, added in their order.
func expSum(logits []float32, top float64) float64 {
	n, sum := expSumFast(logits, top)
	for _, v := range logits[n:] {
		sum += exp(float64(v) - top)
	}
	return sum
}
