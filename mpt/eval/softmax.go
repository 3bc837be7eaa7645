package eval

import (
	"math"
	"sync"
)

// softmaxPart is how many logits are added up in one go. The parts do not depend on how
// many goroutines there are, so neither do the sums.
const softmaxPart = 8192

// softmaxOf returns the index of the largest logit, the first of equals, and
// ln(sum of exp(x)). For a large vocabulary that takes as long as some products of a small
// model, and nobody else is working meanwhile: it is done by several goroutines.
func softmaxOf(logits []float32, workers int) (top int, lse float64) {
	for i, v := range logits {
		if v > logits[top] {
			top = i
		}
	}
	most := float64(logits[top])
	parts := (len(logits) + softmaxPart - 1) / softmaxPart
	sums := make([]float64, parts)
	part := func(k int) {
		sum := 0.0
		for _, v := range logits[k*softmaxPart : min((k+1)*softmaxPart, len(logits))] {
			sum += math.Exp(float64(v) - most)
		}
		sums[k] = sum
	}
	workers = min(workers, parts)
	var wg sync.WaitGroup
	for w := 1; w < workers; w++ {
		wg.Go(func() {
			for k := w; k < parts; k += workers {
				part(k)
			}
		})
	}
	for k := 0; k < parts; k += max(workers, 1) {
		part(k)
	}
	wg.Wait()
	sum := 0.0
	for _, s := range sums {
		sum += s
	}
	return top, most + math.Log(sum)
}
