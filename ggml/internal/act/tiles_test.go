package act

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"mptgo/ggml/internal/probe"
)

// TestTileLayout holds the struct against the offsets that the assembly has in it.
func TestTileLayout(t *testing.T) {
	var tile Tile
	for _, c := range []struct {
		what      string
		got, want uintptr
	}{
		{"a tile", unsafe.Sizeof(tile), 704},
		{"D", unsafe.Offsetof(tile.D), 512},
		{"S", unsafe.Offsetof(tile.S), 576},
		{"Half", unsafe.Offsetof(tile.Half), 640},
	} {
		if c.got != c.want {
			t.Errorf("%s is at or takes %d bytes, not %d", c.what, c.got, c.want)
		}
	}
}

// TestTiles quantises rows in any order and looks for each in the tiles it belongs to.
func TestTiles(t *testing.T) {
	defer func(old bool) { tiled = old }(tiled)
	tiled = true
	const k = 3 * BlockLen
	r := rand.New(rand.NewPCG(7, 0))
	for _, n := range []int{1, 16, 31, 32, 33, 40, 63, 64} {
		a := &Acts{N: n, K: k, X: make([]float32, n*k)}
		for i := range a.X {
			a.X[i] = probe.Plain.Float(r)
		}
		a.Place(probe.Bytes(t, BlocksBytes(n, k)))
		for _, i := range r.Perm(n) {
			Generic.QuantizeRow(a, i, n)
		}
		if n < TiledRows {
			if tile, _ := a.Tiles(0, 0); tile != nil {
				t.Errorf("%d rows have tiles", n)
			}
			continue
		}
		for g := range TileGroups(n) {
			checkGroup(t, a, g, min(g*TileRows, n-TileRows))
		}
	}
}

// TestFewRowsHaveNoTiles: where a step has fewer rows than the kernels that read tiles take, none are filled,
// even if there is room for more rows.
func TestFewRowsHaveNoTiles(t *testing.T) {
	defer func(old bool) { tiled = old }(tiled)
	tiled = true
	const k, n = 3 * BlockLen, 2 * TiledRows
	a := &Acts{N: n, K: k, X: make([]float32, n*k)}
	for i := range a.X {
		a.X[i] = float32(i%7) + 1
	}
	a.Place(probe.Bytes(t, BlocksBytes(n, k)))
	clear(a.tiles)
	for i := range TiledRows - 1 {
		Generic.QuantizeRow(a, i, TiledRows-1)
	}
	for i, tile := range a.tiles {
		if tile != (Tile{}) {
			t.Fatalf("tile %d is filled, which nobody reads", i)
		}
	}
	if Generic.QuantizeRow(a, 0, TiledRows); a.tiles[0].D[0] == 0 {
		t.Error("a tile that is read is empty")
	}
}

// checkGroup checks the tiles of a group that begins with row first.
func checkGroup(t *testing.T, a *Acts, g, first int) {
	t.Helper()
	for b := range a.K / BlockLen {
		p, _ := a.Tiles(g, b)
		tile := (*Tile)(unsafe.Pointer(p))
		if uintptr(unsafe.Pointer(p))%tileAlign != 0 {
			t.Fatalf("group %d, block %d: not at a cache line", g, b)
		}
		for i := range TileRows {
			want := a.Row(first + i)[b]
			got := Block{Q: tile.Q[i], D: tile.D[i], S: tile.S[i], Zero8: want.Zero8, Half: tile.Half[i]}
			if !sameBlock(got, want) {
				t.Fatalf("%d rows, group %d, row %d, block %d: %v, want %v", a.N, g, i, b, got, want)
			}
		}
	}
}
