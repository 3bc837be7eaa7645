package act

import (
	"unsafe"

	"mptgo/ggml/internal/cpu"
)

// TileRows is the number of rows of activations that lie in a tile.
const TileRows = 16

// TiledRows is the number of rows of activations from which on they are kept in tiles: kernels for a single
// group take longer than those for few rows.
const TiledRows = 2 * TileRows

// Tile is a block of each of [TileRows] rows, as kernels for AMX read them: side by side. Assembly knows the
// offsets of the fields.
type Tile struct {
	Q    [TileRows][BlockLen]int8
	D, S [TileRows]float32
	Half [TileRows][2]int16
}

// TileSize is the size of a [Tile].
const TileSize = int(unsafe.Sizeof(Tile{}))

// tileAlign is where tiles begin: at cache lines.
const tileAlign = 64

// tiled is whether this CPU has kernels that read tiles. All tiers fill them then: what one has quantised
// another may multiply.
var tiled = func() bool {
	for _, l := range cpu.Levels() {
		if l.Name == "amx" {
			return l.Runs()
		}
	}
	return false
}()

// TileGroups returns how many groups of tiles n rows have: where n is not a multiple of [TileRows], the last
// group has rows of the one before in it, so that all have all rows. Less than TiledRows have none.
func TileGroups(n int) int {
	if !tiled || n < TiledRows {
		return 0
	}
	return (n + TileRows - 1) / TileRows
}

// TilesBytes returns the memory that [Acts.Place] needs, among the rest, for the tiles of n rows of k values.
func TilesBytes(n, k int) int {
	if groups := TileGroups(n); groups > 0 {
		return groups*(k/BlockLen)*TileSize + tileAlign
	}
	return 0
}

// placeTiles puts the tiles into mem.
func (a *Acts) placeTiles(mem []byte) {
	a.tiles = nil
	if n := TileGroups(a.N) * (a.K / BlockLen); n > 0 {
		mem = mem[-uintptr(unsafe.Pointer(&mem[0]))%tileAlign:]
		a.tiles = unsafe.Slice((*Tile)(unsafe.Pointer(&mem[0])), n)
	}
}

// Tiles returns the tile of block b of a group, and how many bytes the next group's is from there; nil if there
// are none.
func (a *Acts) Tiles(group, b int) (tile *byte, stride int) {
	if a.tiles == nil {
		return nil, 0
	}
	blocks := a.K / BlockLen
	return (*byte)(unsafe.Pointer(&a.tiles[group*blocks+b])), blocks * TileSize
}

// fillTiles copies the quantised row i of n to the tiles it belongs to, unless products with n rows read none:
// tokens that are generated one after the other would copy all they are multiplied with.
func (a *Acts) fillTiles(i, n int) {
	if a.tiles == nil || n < TiledRows {
		return
	}
	if whole := a.N / TileRows; i < whole*TileRows {
		a.fillTile(i, i/TileRows, i%TileRows)
	}
	if first := a.N - TileRows; a.N%TileRows != 0 && i >= first {
		a.fillTile(i, a.N/TileRows, i-first)
	}
}

// fillTile copies row i to a group, where it is a row of its own.
func (a *Acts) fillTile(i, group, row int) {
	blocks := a.K / BlockLen
	tiles := a.tiles[group*blocks:][:blocks]
	for b := range a.Row(i) {
		from, t := &a.blocks[i*Stride(a.K)+b], &tiles[b]
		t.Q[row], t.D[row], t.S[row], t.Half[row] = from.Q, from.D, from.S, from.Half
	}
}
