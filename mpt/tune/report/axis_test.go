package report

import (
	"math"
	"testing"
)

// TestAxes: an axis has some ticks and not many, whatever the values are; those of a run that learns nothing
// differ in the last digit.
func TestAxes(t *testing.T) {
	for _, values := range [][]float64{
		{}, {0}, {3}, {2.5, 3.5}, {13.307733006101378, 13.307733006101374}, {1e9, 1e9 + 1e-6}, {-1e-9, 1e-9}, {1e-310, 2e-310},
		{0, 5e-324}, {0, 1e300}, {1, 1e15}, {7, math.Nextafter(7, 8)},
	} {
		var points []point
		for i, v := range values {
			points = append(points, point{float64(i), v})
		}
		for _, zero := range []bool{false, true} {
			if ticks := axisOf(zero, points).ticks(); len(ticks) == 0 || len(ticks) > 12 {
				t.Errorf("%v, from zero %v: %d ticks", values, zero, len(ticks))
			}
		}
	}
}
