package eval

import "math"

// softmaxPart is how many logits are added up in one go: sums of parts are more exact.
const softmaxPart = 8192

// softmax is what is asked of a row of logits.
type softmax struct {
	top int     // the index of the largest, the first of equals
	lse float64 // ln(sum of exp(x))
}

func softmaxOf(logits []float32) softmax {
	top := 0
	for i, v := range logits {
		if v > logits[top] {
			top = i
		}
	}
	most, sum := float64(logits[top]), 0.0
	for from := 0; from < len(logits); from += softmaxPart {
		part := 0.0
		for _, v := range logits[from:min(from+softmaxPart, len(logits))] {
			part += math.Exp(float64(v) - most)
		}
		sum += part
	}
	return softmax{top, most + math.Log(sum)}
}
