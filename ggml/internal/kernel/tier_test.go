package kernel

import (
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/klauspost/cpuid/v2"

	"mptgo/internal/check"
)

// TestRequiredTier: a run that is meant to test a tier says so, and cannot pass
// without it.
func TestRequiredTier(t *testing.T) {
	var names []string
	for _, tier := range All() {
		names = append(names, tier.Name)
	}
	check.Tier(t, names)
	t.Logf("tiers: %v, of %d known", names, len(Known()))
}

// tested returns the definition and the tiers to test: all that the CPU runs or, in a
// run that is meant for one, that one. Emulators are slow, and the others have runs of
// their own.
func tested() []*Tier {
	all := All()
	if os.Getenv(check.RequireTier) == "" || len(all) == 1 {
		return all
	}
	return []*Tier{all[0], all[len(all)-1]}
}

// TestTiersAreComplete: every tier but the definition says what it needs, in
// words, and has a kernel for everything: where one is missing the definition
// runs in its place, and passes every test.
func TestTiersAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for i, tier := range Known() {
		if seen[tier.Name] {
			t.Errorf("two tiers are called %s", tier.Name)
		}
		seen[tier.Name] = true
		if (i == 0) != (len(tier.needs) == 0) {
			t.Errorf("%s: needs %v: all but the first need something", tier.Name, tier.needs)
		}
		for _, id := range tier.needs {
			if !slices.ContainsFunc(features, func(f feature) bool { return f.id == id }) {
				t.Errorf("%s: needs %v, which is not in the table of features", tier.Name, id)
			}
		}
		allSet(t, tier.Name+": vec", tier.vec)
		allSet(t, tier.Name+": att", tier.att)
		if i > 0 {
			matComplete(t, tier)
		}
		if got := len(tier.Missing()) == 0; got != tier.runs() {
			t.Errorf("%s: nothing is missing: %v, it runs: %v", tier.Name, got, tier.runs())
		}
	}
}

// allSet fails for every field of a struct that is zero.
func allSet(t *testing.T, what string, kernels any) {
	t.Helper()
	v := reflect.ValueOf(kernels)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s.%s is missing", what, v.Type().Field(i).Name)
		}
	}
}

// matComplete fails for every kernel that the products of a tier lack.
func matComplete(t *testing.T, tier *Tier) {
	if tier.mat.quantize == nil {
		t.Errorf("%s: no quantize", tier.Name)
	}
	for _, typ := range matTypes() {
		if isBlock(typ) {
			k := tier.mat.block[typ]
			if k == nil || k.stream == nil || k.pack == nil || hasNil(k.tile[2:]) {
				t.Errorf("%s: %v: a kernel is missing", tier.Name, typ)
			}
			continue
		}
		if tier.mat.float == nil {
			t.Errorf("%s: no kernels of float types", tier.Name)
		} else if k := tier.mat.float.types[typ]; k.dot == nil || k.pack == nil {
			t.Errorf("%s: %v: a kernel is missing", tier.Name, typ)
		}
	}
}

// TestTierThatCannotRun: it is known, and named as what it lacks, but never
// offered.
func TestTierThatCannotRun(t *testing.T) {
	defer func(old func(cpuid.FeatureID) bool) { usable = old }(usable)
	usable = func(cpuid.FeatureID) bool { return false }
	if all := All(); len(all) != 1 || all[0] != Generic() || Best() != Generic() {
		t.Errorf("%d tiers run on a CPU without features", len(all))
	}
	for _, tier := range Known()[1:] {
		if _, ok := Named(tier.Name); ok {
			t.Errorf("%s is offered", tier.Name)
		}
		if got, want := len(tier.Missing()), len(tier.needs); got != want {
			t.Errorf("%s: %d features are missing, want %d", tier.Name, got, want)
		}
	}
}

// hasNil reports whether one of some functions is missing.
func hasNil(funcs any) bool {
	v := reflect.ValueOf(funcs)
	for i := range v.Len() {
		if v.Index(i).IsNil() {
			return true
		}
	}
	return false
}
