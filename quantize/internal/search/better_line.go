package search

import (
	"mptgo/internal/half"
	"mptgo/quantize/internal/num"
)

// The better search for groups with a scale and a minimum: x ≈ a·q + b, where b
// may have to be negative or 0. The error of given codes q is a quadratic
// function of a and b, so a few sums over the group say what is best and how
// good it is, and the values are gone over once for each set of codes. Sums are
// float64.

// lineSums are the sums over a group that depend on its codes.
type lineSums struct{ l, ll, lx float64 } // Σ w·q, Σ w·q·q, Σ w·q·x

// A lineGroup is a group of up to 32 values and their weights.
type lineGroup struct {
	x      []float32
	free   bool // b may be positive
	w, wx  [32]float64
	sw, sx float64  // Σ w, Σ w·x
	sums   lineSums // of the codes found
	a, b   float64  // the best for these
}

// set fills a group.
func (g *lineGroup) set(x, w []float32) {
	g.x, g.sw, g.sx = x, 0, 0
	w = w[:len(x)]
	for i, v := range x {
		g.w[i] = float64(w[i])
		g.wx[i] = float64(float64(w[i]) * float64(v))
		g.sw += g.w[i]
		g.sx += g.wx[i]
	}
}

// try returns the sums for the codes that x gets with a minimum and an inverse
// scale.
func (g *lineGroup) try(lo, inv float32, top int32) (s lineSums) {
	x := g.x
	w, wx := g.w[:len(x)], g.wx[:len(x)]
	for i, v := range x {
		q := float64(lineCode(v, lo, inv, top))
		wq := float64(w[i] * q)
		s.l += wq
		s.ll += float64(wq * q)
		s.lx += float64(wx[i] * q)
	}
	return s
}

func lineCode(v, lo, inv float32, top int32) int32 {
	return num.Clamp(num.Nearest(float32((v-lo)*inv)), 0, top)
}

// solve returns the best a and b for codes with the sums s, and how much of
// Σ w·x·x they explain.
func (g *lineGroup) solve(s lineSums) (a, b, explained float64) {
	det := float64(g.sw*s.ll) - float64(s.l*s.l)
	if det > 0 {
		a = (float64(g.sw*s.lx) - float64(g.sx*s.l)) / det
		b = (float64(s.ll*g.sx) - float64(s.l*s.lx)) / det
	}
	if det > 0 && (b <= 0 || g.free) {
		return a, b, float64(a*s.lx) + float64(b*g.sx)
	}
	if s.ll > 0 {
		a = s.lx / s.ll
	}
	return a, 0, float64(a * s.lx)
}

// fit looks for the codes 0..top, and a and b with them.
func (g *lineGroup) fit(top int32, starts []float32) {
	lo, hi := num.Span(g.x)
	if !g.free {
		lo = min(lo, 0)
	}
	g.a, g.b, g.sums = 0, float64(lo), lineSums{}
	if !(hi-lo > 1e-15) {
		return
	}
	best := -1.
	consider := func(lo, inv float32) bool {
		s := g.try(lo, inv, top)
		a, b, explained := g.solve(s)
		if !(explained > best && a > 0) {
			return false
		}
		g.a, g.b, g.sums, best = a, b, s, explained
		return true
	}
	for _, more := range starts {
		// From the minimum found so far on, as the reference does.
		if lo := float32(g.b); hi > lo {
			consider(lo, (float32(top)+more)/(hi-lo))
		}
	}
	for range lineRounds {
		a := float32(g.a)
		if !(a*float32(top)*64 > hi-lo) || !consider(float32(g.b), 1/a) {
			break
		}
	}
}

// lineRounds is how often fit improves on the best start at most.
const lineRounds = 3

// error returns the error of a and b, less Σ w·x·x.
func (g *lineGroup) error(a, b float64) float64 {
	return float64(a*(float64(a*g.sums.ll)+2*float64(b*g.sums.l)-2*g.sums.lx)) + float64(b*(float64(b*g.sw)-2*g.sx))
}

// startsLine are the starts for a group that is a block.
var startsLine = startsAt(-1.2, 1.5, 1, 0, 0.15)

// BetterLine sets the codes of one group that is a block to 0..top and returns
// the scale and the minimum as they will be stored.
func BetterLine(codes *[32]uint8, x, importance []float32, top int32) (d, m float32) {
	var w [32]float32
	WeighBetter(w[:], x, importance)
	g := lineGroup{free: true}
	g.set(x, w[:])
	g.fit(top, startsLine)
	d, m = half.Stored(g.a), half.Stored(g.b)
	lineCodes(codes[:], x, d, m, top)
	return d, m
}

// lineCodes sets codes to 0..top for values a·code + b.
func lineCodes(codes []uint8, x []float32, a, b float32, top int32) {
	inv := num.Inverse(a)
	for i := range codes {
		codes[i] = uint8(lineCode(x[i], b, inv, top))
	}
}
