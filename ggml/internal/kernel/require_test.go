package kernel

import (
	"os"
	"testing"
)

// TestRequiredTier fails if the environment names another tier than the best of
// this CPU: a run that is meant to test a tier says so, and cannot pass without
// it. See scripts/isa.
func TestRequiredTier(t *testing.T) {
	want := os.Getenv("MPTGO_REQUIRE_TIER")
	if want == "" {
		t.Skip("MPTGO_REQUIRE_TIER is not set")
	}
	if got := Best().Name; got != want {
		t.Fatalf("the best tier of this CPU is %s, MPTGO_REQUIRE_TIER asks for %s", got, want)
	}
}
