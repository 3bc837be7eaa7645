package search

import (
	"math"
	"mptgo/internal/half"
	"mptgo/quantize/internal/num"
)

// FitBetter fits a block of groups with a scale and a minimum each: first every
// group by itself, then the integers and what they are multiples of together,
// from sums over the groups, then once more with the codes that follow, and at
// last the codes for what is stored.
func (k *ScaleMinBlock) FitBetter(x []float32, top, most int32, starts []float32, d, dmin []byte) {
	var groups [16]lineGroup
	g := groups[:k.N]
	var a, b float64
	for j := range g {
		i, e := j*k.Group, (j+1)*k.Group
		g[j].set(x[i:e], k.W[i:e])
		g[j].fit(top, starts)
		a, b = max(a, g[j].a), max(b, -g[j].b)
	}
	k.d, k.dmin = half.Stored(a/float64(most)), half.Stored(b/float64(most))
	k.choose(g, most)
	k.solve(g)
	k.choose(g, most)
	for j := range g {
		if a := k.d * float32(k.S[j]); a > 0 {
			g[j].sums = g[j].try(-k.dmin*float32(k.M[j]), num.Inverse(a), top)
		}
	}
	k.solve(g)
	k.choose(g, most)
	half.Put(d, k.d)
	half.Put(dmin, k.dmin)
	k.code(g, top)
}

// code sets the codes of all values for the scales and minima as they are stored.
func (k *ScaleMinBlock) code(groups []lineGroup, top int32) {
	for j := range groups {
		codes := k.Codes[j*k.Group : (j+1)*k.Group]
		lineCodes(codes, groups[j].x, k.d*float32(k.S[j]), -k.dmin*float32(k.M[j]), top)
	}
}

// choose sets the integers of all groups to the best ones, near what the groups
// ask for, for the codes that the groups have.
func (k *ScaleMinBlock) choose(groups []lineGroup, most int32) {
	d, dmin := float64(k.d), float64(k.dmin)
	for j := range groups {
		g := &groups[j]
		near := int32(0)
		if d > 0 {
			near = int32(min(g.a/d+0.5, float64(most)))
		}
		best := math.Inf(1)
		for s := max(near-1, 0); s <= min(near+1, most); s++ {
			a := d * float64(s)
			m := int32(0)
			if dmin > 0 && g.sw > 0 {
				b := (float64(a*g.sums.l) - g.sx) / g.sw
				m = int32(max(min(b/dmin+0.5, float64(most)), 0))
			}
			if e := g.error(a, -dmin*float64(m)); e < best {
				best, k.S[j], k.M[j] = e, uint8(s), uint8(m)
			}
		}
	}
}

// solve sets d and dmin to the best ones for the integers and codes of all
// groups.
func (k *ScaleMinBlock) solve(groups []lineGroup) {
	var ss, sm, mm, sx, mx float64
	for j := range groups {
		g, s, m := &groups[j], float64(k.S[j]), float64(k.M[j])
		ss += float64(s * s * g.sums.ll)
		sm += float64(s * m * g.sums.l)
		mm += float64(m * m * g.sw)
		sx += float64(s * g.sums.lx)
		mx += float64(m * g.sx)
	}
	if !(ss > 0) {
		return
	}
	d, dmin := sx/ss, float64(k.dmin)
	if det := float64(ss*mm) - float64(sm*sm); det > 1e-6*ss*mm {
		d = (float64(mm*sx) - float64(sm*mx)) / det
		dmin = (float64(sm*sx) - float64(ss*mx)) / det
	}
	if nearScale(d, k.d) && (k.dmin == 0 || nearScale(dmin, k.dmin)) {
		k.d, k.dmin = half.Stored(d), half.Stored(dmin)
	}
}
