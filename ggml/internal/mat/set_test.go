package mat

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	"mptgo/ggml/internal/cpu"
	"mptgo/ggml/internal/probe"
	"mptgo/gguf"
)

// set is the kernels of a level.
type set struct {
	Name string
	*Kernels
}

// definition is the kernels that define all others.
var definition = set{"generic", &generic}

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

// leftToDefinition are the types that have no kernels on an architecture. A type that is
// not made fast yet is named here, by architecture.
var leftToDefinition = map[string][]gguf.Type{"arm64": {gguf.Q4_1, gguf.Q5_1, gguf.Q2_K}}

// TestComplete: every other type has all kernels on every level.
func TestComplete(t *testing.T) {
	for _, l := range cpu.Levels()[1:] {
		k := For(l)
		probe.AllSet(t, l.Name, k)
		for _, typ := range matTypes() {
			if isFloat(typ) {
				probe.AllSet(t, fmt.Sprint(l.Name, " ", typ), k.float.types[typ])
				continue
			}
			b := k.block[typ]
			if b == nil && slices.Contains(leftToDefinition[runtime.GOARCH], typ) {
				continue
			}
			if b == nil || b.stream == nil || b.pack == nil || len(b.Tiles) < 4 || b.Tiles[2] == nil || b.Tiles[3] == nil {
				t.Errorf("%s: %v: a kernel is missing: add a row to the tables of %[1]s, or leave %[2]v to the "+
					"definition on %s, see leftToDefinition", l.Name, typ, runtime.GOARCH)
			}
		}
	}
}
