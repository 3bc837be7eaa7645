package tier

import (
	"testing"

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

// TestTiers: what All offers runs, the definition always, and names lead to tiers.
func TestTiers(t *testing.T) {
	if all := All(); all[0] != Generic() || Best() != all[len(all)-1] {
		t.Errorf("%d tiers, from %s to %s", len(all), all[0].Name, Best().Name)
	}
	for _, tier := range Known() {
		named, ok := Named(tier.Name)
		if ok != tier.Runs() || ok && named != tier {
			t.Errorf("%s: runs %v, offered %v", tier.Name, tier.Runs(), ok)
		}
	}
}
