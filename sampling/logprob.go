package sampling

import "math"

// LogSum returns ln(sum of exp(x)) of logits: the natural logarithm of what their
// exponentials are divided by to be probabilities. It is summed up in float64 in the order of
// the tokens, so its bits are the same on every CPU. It is NaN if a logit is NaN or +Inf.
func LogSum(logits []float32) float64 {
	top := largest(logits)
	if math.IsNaN(top) || math.IsInf(top, 0) {
		return math.NaN()
	}
	return top + log(expSum(logits, top))
}

// Best returns the n tokens with the largest logits, largest first and equal ones by id. It
// reuses dst.
func Best(dst []Candidate, logits []float32, n int) []Candidate {
	dst = dst[:0]
	for id, v := range logits {
		if len(dst) == n {
			if n == 0 || v <= dst[n-1].Logit {
				continue
			}
			dst = dst[:n-1]
		}
		at := len(dst)
		for at > 0 && dst[at-1].Logit < v {
			at--
		}
		dst = append(dst, Candidate{})
		copy(dst[at+1:], dst[at:])
		dst[at] = Candidate{ID: int32(id), Logit: v}
	}
	return dst
}

// Share returns the probability of a token by its logits, about: what is less than e^-16 of the
// best counts as nothing, so that it takes little time. It is for decisions that no result depends
// on.
func Share(logits []float32, id int32) float64 {
	top := float32(math.Inf(-1))
	for _, v := range logits {
		top = max(top, v)
	}
	sum := 0.0
	for _, v := range logits {
		if v > top-16 {
			sum += math.Exp(float64(v - top))
		}
	}
	return math.Exp(float64(logits[id]-top)) / sum
}
