package check

import (
	"os"
	"testing"
)

// RequireTier is the environment variable with the name of the kernels that a
// run is meant to test: the best of its CPU. See scripts/isa.
const RequireTier = "MPTGO_REQUIRE_TIER"

// Tier fails the test if [RequireTier] asks for other kernels than the last of
// those that can run, which are given: such a run must not pass without them.
func Tier(t testing.TB, tiers []string) {
	t.Helper()
	want := os.Getenv(RequireTier)
	if best := tiers[len(tiers)-1]; want != "" && best != want {
		t.Fatalf("the best kernels of this CPU are %s, %s asks for %s", best, RequireTier, want)
	}
}
