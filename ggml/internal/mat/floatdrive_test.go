package mat

import (
	"fmt"
	"testing"
)

// TestFloatTiles: any number of rows of activations is cut into tiles that there are, hardly more of
// them than if there were all heights.
func TestFloatTiles(t *testing.T) {
	for _, tier := range tested() {
		if tier.float == nil {
			continue // the definition has no tiles
		}
		for typ, k := range tier.float.types {
			for n := 1; n < 300 && k.tile != nil; n++ {
				name := fmt.Sprintf("%s, type %d, %d rows", tier.Name, typ, n)
				checkFloatTiles(t, name, k.tile, n, false)
				checkFloatTiles(t, name, k.tile, n, true)
			}
		}
		for n := tier.float.wide.least(); n > 0 && n < 300; n++ {
			checkFloatTiles(t, fmt.Sprintf("%s, wide, %d rows", tier.Name, n), tier.float.wide, n, true)
		}
	}
}

func checkFloatTiles(t *testing.T, name string, k floatTiles, n int, again bool) {
	t.Helper()
	all := 0
	for at := 0; at < n; {
		done := 0
		if again {
			done = at
		}
		height, tiles := k.next(n-at, done)
		if height < 1 || height >= len(k) || k[height] == nil || tiles < 1 || height*tiles > n-at+done {
			t.Fatalf("%s, again %v: from %d on %d tiles of %d", name, again, at, tiles, height)
		}
		at += height * tiles
		all += tiles
	}
	most := len(k) - 1
	if least := (n + most - 1) / most; all > least+1 || again && all != k.tiles(n) {
		t.Errorf("%s, again %v: %d tiles, %d would do; %d are told", name, again, all, least, k.tiles(n))
	}
}
