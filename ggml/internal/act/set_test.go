package act

import (
	"testing"

	"mptgo/ggml/internal/cpu"
	"mptgo/ggml/internal/probe"
)

// set is the kernels of a level.
type set struct {
	Name string
	*Kernels
}

// definition is the kernels that define all others.
var definition = set{"generic", &Generic}

// tested returns the definition and the kernels to test, see [probe.Levels].
func tested() []set {
	var sets []set
	for _, l := range probe.Levels() {
		k := For(l)
		sets = append(sets, set{l.Name, &k})
	}
	return sets
}

// best returns the fastest kernels to test.
func best() set {
	sets := tested()
	return sets[len(sets)-1]
}

// TestComplete: every level has a kernel for everything.
func TestComplete(t *testing.T) {
	for _, l := range cpu.Levels()[1:] {
		probe.AllSet(t, l.Name, For(l))
	}
}
