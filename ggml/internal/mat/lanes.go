package mat

import (
	"math/bits"

	"mptgo/ggml/internal/act"
	"mptgo/ggml/internal/cpu"
	"mptgo/ggml/internal/scalar"
	"mptgo/ggml/internal/scratch"
	"mptgo/gguf"
)

// A float product with many rows of activations is sixteen products, one for each
// lane of the definition: weights and activations are sorted by lanes, and within a
// lane a tile of results stays in registers over all columns.
//
// The sums of the lanes are added as [scalar.Fold] does, 16 to 8 to 4 to 2 to 1: lanes are
// taken in such an order that each sum is added to the one before it as soon as it
// is there. At most four older sums wait at a time, the levels.

// laneColumns is how many columns of a lane a call takes at most, those of all its tiles together. A
// goroutine in it cannot be stopped: the largest tiles, on CPUs that add 16 products in a cycle, take 28 cycles for
// a column, so some 50 us.
const laneColumns = 4 << 10

// laneOrder is the order in which [scalar.Fold] comes to the lanes.
var laneOrder = [scalar.Lanes]int{0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15}

// foldLevels is how many halvings make one of sixteen lanes.
const foldLevels = 4

// laneStrips are a few strips of weights, sorted by lanes, on their way through
// all rows of activations.
type laneStrips struct {
	product // a copy: kernels are called through variables, so what they are given counts as escaping
	k       *floatKernels
	r       int // the first row
	strips  int // how many
	width   int // rows of a panel: one strip or, if there are tiles for that, two
	tile    floatTiles
	steps   int       // columns of a lane
	panels  []float32 // [panels][lanes][steps][width], with a gap after each lane
	ahead   cpu.Fetch // of the strips after these
}

// laned multiplies up to floatStrips strips from row r on with all rows of
// activations, while the next strips are fetched.
func (p *product) laned(k *floatKernels, r int) {
	t := laneStrips{product: *p, k: k, r: r, width: StripRows, tile: k.types[gguf.F32].tile, steps: act.LaneSteps(p.a.K)}
	t.strips = (min(floatStrips*StripRows, p.r1-r) + StripRows - 1) / StripRows
	if t.strips == 2 && k.wide != nil && p.n >= k.wide.least() {
		t.width, t.tile = 2*StripRows, k.wide
	}
	t.panels = scratch.Grow(&p.s.floatPanel, t.count()*scalar.Lanes*t.laneSize())
	for i := range t.strips {
		t.pack(i)
	}
	tiles := 0
	t.tile.chunks(p.n, func(_, n int) { tiles += t.tile.tiles(n) })
	t.ahead = p.fetch(r, t.strips*StripRows, t.count()*scalar.Lanes*tiles*t.fetches())
	t.tile.chunks(p.n, t.multiply)
	for i := range t.count() {
		p.deliver(r+i*t.width, t.width)
	}
}

// chunks calls f for the chunks of n rows of activations: the first of each, and their number. They are whole
// tiles, so that there are few heights; the last one may begin before the end of the one before it.
func (k floatTiles) chunks(n int, f func(first, n int)) {
	most := len(k) - 1
	count := (n + floatChunk - 1) / floatChunk
	chunk := ((n+count-1)/count + most - 1) / most * most
	for first := 0; first < n; first += chunk {
		rows := max(min(chunk, n-first), k.least())
		f(min(first, n-rows), rows)
	}
}

// count returns the number of panels.
func (t *laneStrips) count() int { return t.strips * StripRows / t.width }

// laneSize returns how far apart the lanes of a panel are: an odd number of cache
// lines, so that they do not all fall on the same place of a cache.
func (t *laneStrips) laneSize() int { return (t.steps*t.width/StripRows | 1) * StripRows }

// lanes returns panel i, from the given lane on.
func (t *laneStrips) lanes(i, lane int) []float32 {
	return t.panels[(i*scalar.Lanes+lane)*t.laneSize():]
}

// fetches returns how often a tile fetches.
func (t *laneStrips) fetches() int {
	if t.width > StripRows {
		return t.steps
	}
	return t.steps/4 + t.steps%4
}

// pack sorts strip i into its panel, the rows in two halves of eight.
func (t *laneStrips) pack(i int) {
	w := t.strip(t.r+i*StripRows, StripRows)
	const half = StripRows / 2
	steps, rest := t.a.K/scalar.Lanes, t.a.K%scalar.Lanes
	panel := t.lanes(i*StripRows/t.width, 0)[i*StripRows%t.width:]
	for step := 0; step < steps; step += packSteps {
		n, at := min(packSteps, steps-step), step*scalar.Lanes*(t.row/t.a.K)
		for h := range 2 {
			t.k.types[t.w.Type].pack(&panel[step*t.width+h*half], 4*t.laneSize(), &w[h*half*t.row+at], t.row, n, 4*t.width)
		}
	}
	if rest == 0 {
		return
	}
	for h := range 2 {
		last := t.lastColumns(w[h*half*t.row:], half)
		t.k.types[gguf.F32].pack(&panel[steps*t.width+h*half], 4*t.laneSize(), &last[0], 4*scalar.Lanes, 1, 4*t.width)
	}
}

// multiply computes the results of n rows of activations from row first on.
func (t *laneStrips) multiply(first, n int) {
	size := n * t.width // of a level
	sums := scratch.Grow(&t.s.lanes, t.count()*foldLevels*size)
	for j, lane := range laneOrder {
		x := t.a.Lane(lane, first)
		levels := bits.TrailingZeros(uint(j + 1)) // that this lane completes
		for i := range t.count() {
			older := sums[i*foldLevels*size:][:foldLevels*size]
			if levels < foldLevels {
				t.lane(older[levels*size:], t.width, older, levels, t.lanes(i, lane), x, n)
				continue
			}
			y, ldy := t.target(t.r+i*t.width, t.width)
			t.lane(y[first*ldy:], ldy, older, levels, t.lanes(i, lane), x, n)
		}
	}
}

// lane sets n rows of y to the sums of a lane plus those of older ones.
func (t *laneStrips) lane(y []float32, ldy int, older []float32, levels int, panel, x []float32, n int) {
	level := len(older) / foldLevels
	for at := 0; at < n; {
		height, tiles := t.tile.next(n-at, at)
		tiles = min(tiles, max(1, laneColumns/t.steps))
		at = min(at, n-height*tiles) // a tile may begin before the end of another: results come out the same
		t.tile[height](&y[at*ldy], 4*ldy, &older[at*t.width], 4*level, levels, &scratch.Bytes(panel)[0], t.steps,
			&x[at*t.steps], 4*t.steps, tiles, t.ahead.Next(tiles*t.fetches()), t.ahead.Step)
		at += height * tiles
	}
}
