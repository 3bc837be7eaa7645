package quantize

import (
	"fmt"
	"math"
)

// Search says how encoding looks for codes and scales. What it finds has the
// same format, so any reader can read it.
type Search uint8

const (
	Auto      Search = iota // what a recipe prefers; Reference where there is none
	Reference               // the bytes of ggml's reference code
	Better                  // a smaller error, for the types that have such a search
)

var searchNames = [...]string{Auto: "auto", Reference: "reference", Better: "better"}

func (s Search) String() string { return searchNames[s] }

// ParseSearch returns the search with the given name.
func ParseSearch(name string) (Search, error) {
	for s, n := range searchNames {
		if n == name {
			return Search(s), nil
		}
	}
	return 0, fmt.Errorf("quantize: unknown search %q: choose one of auto, reference, better", name)
}

// encode encodes a row as f.
func (s Search) encode(f *Format, dst []byte, src, weights []float32) {
	if s == Better && f.better != nil {
		f.better(dst, src, weights)
		keepReference(f, dst, src, weights)
		return
	}
	f.Encode(dst, src, weights)
}

// weighBetter sets the weights of the values of a block for the better search.
// Of values whose importance is not known, the larger ones weigh more; the root
// of the mean square keeps small ones from having no weight at all.
// Weights are finite whatever the values are: an overflow would hide values that
// are too large for a type.
func weighBetter(w, x, importance []float32) {
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
			w[i+l] = spread + float32(abs(v)/2)
		}
	}
}

func meanSquare64(x []float32) (sum float64) {
	for _, v := range x {
		sum += float64(float64(v) * float64(v))
	}
	return sum / float64(len(x))
}
