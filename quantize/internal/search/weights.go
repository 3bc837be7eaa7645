package search

import (
	"math"
	"mptgo/quantize/internal/num"
)

// What the values of a block weigh in its error.

// Weigh sets w to the importance of each value x: that of its column, times the
// more the larger x is against the mean square of the row.
func Weigh(w, x, importance []float32, mean float32) {
	for i, v := range x {
		w[i] = importance[i] * num.Sqrt(mean+float32(v*v))
	}
}

// WeighBetter sets the weights of the values of a block for the better search.
// Of values whose importance is not known, the larger ones weigh more; the root
// of the mean square keeps small ones from having no weight at all.
// Weights are finite whatever the values are: an overflow would hide values that
// are too large for a type.
func WeighBetter(w, x, importance []float32) {
	if importance != nil {
		mean := meanSquare64(x)
		for i, v := range x {
			root := math.Sqrt(mean + float64(float64(v)*float64(v)))
			w[i] = float32(min(float64(importance[i])*root, math.MaxFloat32))
		}
		return
	}
	for i := 0; i < len(x); i += 32 {
		// Half of each, which cannot overflow and makes no difference.
		spread := float32(math.Sqrt(meanSquare64(x[i:i+32])) / 2)
		for l, v := range x[i : i+32] {
			w[i+l] = spread + float32(num.Abs(v)/2)
		}
	}
}

func meanSquare64(x []float32) (sum float64) {
	for _, v := range x {
		sum += float64(float64(v) * float64(v))
	}
	return sum / float64(len(x))
}

// WeighGrid sets the weights of a block; floor is what values that are zero
// weigh, in parts of the mean square, if the importance is not known.
func WeighGrid(w, x, importance []float32, floor float32) {
	mean := 2 * num.SumSquares(x) / 256
	if importance != nil {
		Weigh(w, x, importance, mean)
		return
	}
	for i, v := range x {
		w[i] = float32(floor*mean) + float32(v*v)
	}
}
