package tune

import (
	"fmt"
	"math"
)

// Schedule says how the learning rate changes over a run.
type Schedule struct {
	Name   string  // constant, linear or cosine
	Warmup int     // steps in which the rate rises from 0
	AlphaF float64 // factor at the end
}

// Schedules lists the names of schedules.
var Schedules = []string{"constant", "linear", "cosine"}

// Factor returns what the learning rate is multiplied by in step k of steps: k/Warmup while that is below
// 1, so that the first step has rate 0, and then with t, the share of the rest that is done, 1 for
// constant, 1 + t·(AlphaF-1) for linear, AlphaF + (1-AlphaF)·(1+cos πt)/2 for cosine.
func (s Schedule) Factor(k, steps int) float64 {
	if k < s.Warmup {
		return float64(k) / float64(s.Warmup)
	}
	t := min(1, float64(k-s.Warmup)/float64(max(1, steps-s.Warmup)))
	switch s.Name {
	case "linear":
		return 1 + float64(t*(s.AlphaF-1))
	case "cosine":
		return s.AlphaF + float64((1-s.AlphaF)*(1+math.Cos(math.Pi*t)))/2
	}
	return 1
}

func (s Schedule) check(steps int) error {
	known := false
	for _, name := range Schedules {
		known = known || name == s.Name
	}
	switch {
	case !known:
		return fmt.Errorf("tune: no schedule %q (--lr-schedule): there are %v", s.Name, Schedules)
	case s.Warmup < 0 || s.Warmup > 0 && s.Warmup >= steps:
		return fmt.Errorf("tune: %d steps of warm-up (--warmup) in a run of %d steps", s.Warmup, steps)
	case !(s.AlphaF >= 0 && s.AlphaF <= 1):
		return fmt.Errorf("tune: --alpha-f %v: want 0 to 1", s.AlphaF)
	}
	return nil
}
