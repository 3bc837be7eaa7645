package mat

import "testing"

// TestLaneCalls: a call of tiles ends soon, however long rows are, and all rows of activations are computed
// by as many tiles as in one call.
func TestLaneCalls(t *testing.T) {
	for _, steps := range []int{1, 256, 512, 1024, 1792, 9000} {
		for n := 8; n <= floatChunk; n++ {
			longest, all, next := 0, 0, 0
			tiles := make(floatTiles, 15)
			for _, h := range []int{8, 10, 12, 14} {
				tiles[h] = func(_ *float32, _ int, _ *float32, _, _ int, _ *byte, _ int, _ *float32, _, tiles int, _ uintptr, _ int) {
					longest, all, next = max(longest, tiles), all+tiles, next+h*tiles
				}
			}
			s := laneStrips{tile: tiles, steps: steps, width: 2 * StripRows}
			y := make([]float32, n*s.width)
			s.lane(y, s.width, make([]float32, foldLevels*len(y)), 0, make([]float32, 1), make([]float32, n*steps), n)
			if longest > 1 && longest*steps > 4<<10 {
				t.Errorf("%d rows of %d columns: %d tiles in a call", n, steps, longest)
			}
			if all != tiles.tiles(n) || next < n {
				t.Errorf("%d rows of %d columns: %d tiles for %d rows, want %d", n, steps, all, next, tiles.tiles(n))
			}
		}
	}
}
