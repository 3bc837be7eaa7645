package ggml

import (
	"math"
	"testing"
)

// TestTemperFactor: the factor is 1 within the first period and grows with the
// logarithm of the periods, also of ones so short that their number is no int.
func TestTemperFactor(t *testing.T) {
	for _, c := range []struct {
		position     int
		scale, floor float64
		want         float32
	}{
		{0, 0.1, 8192, 1},
		{8190, 0.1, 8192, 1},
		{8191, 0.1, 8192, float32(1 + 0.1*math.Log(2))},
		{3 * 8192, 0.1, 8192, float32(1 + 0.1*math.Log(4))},
		{9, 0.5, 1e-30, float32(1 + 0.5*math.Log(1e31))},
		{9, 0.5, math.Inf(1), 1},
	} {
		o := &temper{scale: c.scale, floor: c.floor}
		if got := o.factor(c.position); !(math.Abs(float64(got-c.want)) <= 1e-6*float64(c.want)) {
			t.Errorf("position %d, scale %v, floor %v: %v, want %v", c.position, c.scale, c.floor, got, c.want)
		}
	}
}
