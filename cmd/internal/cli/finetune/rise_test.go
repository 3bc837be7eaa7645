package finetune

import "testing"

// TestRise: a loss that stays far above the first ones is told of once; a short one, or one that is high from
// the beginning, is not.
func TestRise(t *testing.T) {
	told := func(loss func(step int) float64) (at []int) {
		var r rise
		for step := 1; step <= 300; step++ {
			if r.add(loss(step)) {
				at = append(at, step)
			}
		}
		return at
	}
	if at := told(func(step int) float64 { return 2 + float64(step)/20 }); len(at) != 1 || at[0] < 75 || at[0] > 90 {
		t.Errorf("a loss that rises: told at %v", at)
	}
	for name, loss := range map[string]func(step int) float64{
		"falling":        func(step int) float64 { return 2 - float64(step)/300 },
		"a bit higher":   func(step int) float64 { return 2 + min(0.9, float64(step)/100) },
		"a short hill":   func(step int) float64 { return map[bool]float64{true: 9, false: 2}[step > 100 && step < 140] },
		"high, and flat": func(int) float64 { return 11 },
	} {
		if at := told(loss); at != nil {
			t.Errorf("%s: told at %v", name, at)
		}
	}
}
