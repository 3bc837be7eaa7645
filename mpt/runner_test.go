package mpt

import (
	"path/filepath"
	"testing"

	"mptgo/ggml"
	"mptgo/internal/check"
)

// The kernels that a model says it uses are those that its graphs run on. Logits
// cannot tell: all kernels give the same.
func TestRunnersUseTheTier(t *testing.T) {
	check.Tier(t, ggml.Tiers())
	for _, isa := range append(ggml.Tiers(), "") {
		m, err := Open(filepath.Join("builtin", "mpt-stories.gguf"), Tier(isa), BatchSize(1), Threads(1))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		r, err := m.newRunner(nil)
		if err != nil {
			t.Fatal(err)
		}
		if e := r.exec; e.Tier() != m.Tier() || isa != "" && e.Tier() != isa {
			t.Errorf("asked for %q, told %s, runs on %s", isa, m.Tier(), e.Tier())
		}
	}
}
