package scalar

import (
	"math"

	"mptgo/internal/codebook"
)

// mathTable holds the constants of exp.go for assembly, which finds them by index and reads this and
// the polynomials by their full names from the packages that use them.
var mathTable = [...]float32{log2E, roundBias, ln2Hi, ln2Lo, expLow, expHigh, math.MaxFloat32, geluEdge}

// nonLinear and nonLinear128 are the table of IQ4 types and that plus 128, for
// assembly to read.
var (
	nonLinear    = codebook.NonLinear
	nonLinear128 = func() (t [16]uint8) {
		for i, v := range codebook.NonLinear {
			t[i] = uint8(int(v) + 128)
		}
		return t
	}()
)
