package cpu

import (
	"slices"
	"testing"

	"github.com/klauspost/cpuid/v2"
)

// TestLevels: every level but that of the definition says what it needs, in words.
func TestLevels(t *testing.T) {
	seen := map[string]bool{}
	for i, l := range Levels() {
		if seen[l.Name] {
			t.Errorf("two levels are called %s", l.Name)
		}
		seen[l.Name] = true
		if (i == 0) != (len(l.needs) == 0) {
			t.Errorf("%s: needs %v: all but the first need something", l.Name, l.needs)
		}
		for _, id := range l.needs {
			if !slices.ContainsFunc(features, func(f feature) bool { return f.id == id }) {
				t.Errorf("%s: needs %v, which is not in the table of features", l.Name, id)
			}
		}
		if got := len(l.Missing()) == 0; got != l.Runs() {
			t.Errorf("%s: nothing is missing: %v, it runs: %v", l.Name, got, l.Runs())
		}
	}
}

// TestLevelsWithoutFeatures: a level that cannot run is known, and named as what it lacks.
func TestLevelsWithoutFeatures(t *testing.T) {
	defer func(old func(cpuid.FeatureID) bool) { usable = old }(usable)
	usable = func(cpuid.FeatureID) bool { return false }
	for i, l := range Levels() {
		if got, want := len(l.Missing()), len(l.needs); got != want || l.Runs() != (i == 0) {
			t.Errorf("%s: %d features are missing, want %d; runs %v", l.Name, got, want, l.Runs())
		}
	}
}
