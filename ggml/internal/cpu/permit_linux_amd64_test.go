//go:build !purego

package cpu

import (
	"testing"

	"github.com/klauspost/cpuid/v2"
)

// TestPermitTiles: a kernel on a CPU without tiles refuses them, and a refusal is no error.
func TestPermitTiles(t *testing.T) {
	lacks := !has(feature{leaf: leaf{7, 0, edx, 24}})
	if permitted := permitTiles(); lacks && permitted {
		t.Error("this CPU has no tiles, but the kernel saves them")
	} else if !permitted && usableHere(cpuid.AMXTILE) {
		t.Error("tiles are usable, but the kernel does not save them")
	}
}
