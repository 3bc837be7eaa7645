package mat

import "testing"

// TestFloatTiles: any number of rows of activations is cut into tiles that there are, hardly more of
// them than if there were all heights.
func TestFloatTiles(t *testing.T) {
	for _, tier := range tested() {
		if tier.float == nil {
			continue // the definition has no tiles
		}
		for typ, k := range tier.float.types {
			for n := 1; n < 300 && k.tile != nil; n++ {
				checkFloatTiles(t, tier.Name, typ, k.tile, n)
			}
		}
	}
}

func checkFloatTiles(t *testing.T, name string, typ int, k floatTiles, n int) {
	t.Helper()
	all := 0
	for left := n; left > 0; {
		height, tiles := k.next(left)
		if height < 1 || height >= len(k) || k[height] == nil || tiles < 1 || height*tiles > left {
			t.Fatalf("%s, type %d: %d of %d rows: %d tiles of %d", name, typ, left, n, tiles, height)
		}
		left -= height * tiles
		all += tiles
	}
	most := len(k) - 1
	if least := (n + most - 1) / most; all > least+1 || all != k.tiles(n) {
		t.Errorf("%s, type %d: %d rows in %d tiles, %d would do; %d are told", name, typ, n, all, least, k.tiles(n))
	}
}
