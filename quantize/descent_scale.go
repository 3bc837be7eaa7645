package quantize

import (
	"math"
	"mptgo/internal/half"
	"mptgo/quantize/internal/num"

	"mptgo/quantize/internal/vec"
)

// groupSums are sums over the values of a group, with S the matrix of the cost, T the
// levels of its codes, g the derivative.
type groupSums struct {
	tt, t1, oo float64 // TᵀST, TᵀS1, 1ᵀS1
	tg, og     float64 // Tᵀg, 1ᵀg
}

// change returns how much the cost changes if the scale grows by a and what is added
// by b.
func (s *groupSums) change(a, b float64) float64 {
	return float64(a*(float64(a*s.tt)+2*float64(b*s.t1)-2*s.tg)) + float64(b*(float64(b*s.oo)-2*s.og))
}

// sums returns the sums of group j; st is ST.
func (d *descent) sums(j int, st []float32) (s groupSums) {
	from := j * d.grid.group
	for i, st := range st {
		i += from
		t, so := float64(d.grid.levels[d.k.codes[i]]), float64(d.f.group[d.at+i])
		s.tt += float64(t * float64(st))
		s.t1 += float64(t * so)
		s.oo += so
		s.tg += float64(t * float64(d.g[i]))
		s.og += float64(d.g[i])
	}
	return s
}

// best returns the change of the scale and of what is added that lowers the cost most;
// the latter is 0 if there is nothing to add.
func (s *groupSums) best(added bool) (a, b float64) {
	det := float64(s.tt*s.oo) - float64(s.t1*s.t1)
	if added && det > 1e-9*s.tt*s.oo {
		return (float64(s.oo*s.tg) - float64(s.t1*s.og)) / det, (float64(s.tt*s.og) - float64(s.t1*s.tg)) / det
	}
	if s.tt > 0 {
		a = s.tg / s.tt
	}
	return a, 0
}

// refitGroup chooses the integers of group j again, the scale near the best one, each
// with the minimum that goes with it, and reports whether they are others; st is ST.
func (d *descent) refitGroup(j int, st []float32) bool {
	g, s := d.grid, d.sums(j, st)
	scale, added := float64(d.k.scale(j)), float64(d.k.offset(j))
	da, _ := s.best(g.maxOffset > g.minOffset)
	near := toInteger((scale+da)/float64(d.k.d), g.minScale, g.maxScale, d.k.s[j])
	least, bestS, bestM := 0., d.k.s[j], d.k.m[j]
	for _, c := range [4]int32{near, near - 1, near + 1, d.k.s[j]} {
		c, m := num.Clamp(c, g.minScale, g.maxScale), d.k.m[j]
		da := float64(d.k.d*float32(c)) - scale
		if g.maxOffset > g.minOffset {
			b := added + (s.og-float64(da*s.t1))/s.oo
			m = toInteger(-b/float64(d.k.dmin), g.minOffset, g.maxOffset, m)
		}
		if e := s.change(da, -float64(d.k.dmin*float32(m))-added); e < least {
			least, bestS, bestM = e, c, m
		}
	}
	changed := bestS != d.k.s[j] || bestM != d.k.m[j]
	d.k.s[j], d.k.m[j] = bestS, bestM
	return changed
}

// toInteger returns the integer from low to high that is nearest to x, or other if x is
// not a number.
func toInteger(x float64, low, high, other int32) int32 {
	if x != x {
		return other
	}
	return int32(math.RoundToEven(max(min(x, float64(high)), float64(low))))
}

// recompute sets the values of group j after its scales have changed, and of every four of a
// the first to what a value has lost.
func (d *descent) recompute(j int, a []float32) {
	from := j * d.grid.group
	for i := range d.grid.group {
		v := d.value(j, d.k.codes[from+i])
		a[4*i] = d.v[from+i] - v
		d.v[from+i] = v
	}
}

// grows sets the first of every four of a to how much a value grows with d, and, of two kinds,
// the second to how much it shrinks with dmin.
func (d *descent) grows(a []float32, kinds int) {
	for i := range d.z {
		j := i / d.grid.group
		a[4*i] = float32(d.k.s[j]) * d.grid.levels[d.k.codes[i]]
		if kinds > 1 {
			a[4*i+1] = float32(d.k.m[j])
		}
	}
}

// refitBlock chooses d and dmin again. A is what grows has set, costs the cost's matrix times
// each of its kinds.
func (d *descent) refitBlock(a, costs []float32) {
	n := len(d.z)
	s := d.blockSums(a, costs)
	if !(s.tt > 0) {
		return
	}
	da, db := s.best(s.oo > 0)
	scale, least := half.Stored(float64(d.k.d)+da), half.Stored(float64(d.k.dmin)-db)
	if !(s.change(float64(scale)-float64(d.k.d), float64(d.k.dmin)-float64(least)) < 0) {
		return
	}
	vec.AddScaled(d.g, d.k.d-scale, costs)
	if len(costs) > n {
		vec.AddScaled(d.g, least-d.k.dmin, costs[n:])
	}
	d.k.d, d.k.dmin = scale, least
	for i := range d.v {
		d.v[i] = d.value(i/d.grid.group, d.k.codes[i])
	}
}

// blockSums returns the sums over the block for a change of d and -dmin.
func (d *descent) blockSums(a, costs []float32) (s groupSums) {
	n := len(d.z)
	for i := range n {
		t, st, g := float64(a[4*i]), float64(costs[i]), float64(d.g[i])
		s.tt += float64(t * st)
		s.tg += float64(t * g)
		if len(costs) == n {
			continue
		}
		o, so := float64(a[4*i+1]), float64(costs[n+i])
		s.t1 += float64(t * so)
		s.oo += float64(o * so)
		s.og += float64(o * g)
	}
	return s
}
