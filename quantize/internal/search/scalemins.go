package search

import (
	"mptgo/quantize/internal/num"
	"mptgo/quantize/internal/vec"
)

// groupFit is the search of [FitScaleMin] in eight groups of values at the same time.
type groupFit struct {
	x, w    [32 * vec.Groups]float32 // value i of group g at i·8 + g
	n       int                      // of them
	top     int32
	lo, hi  vec.PerGroup // lo: the minimum found so far
	sw, swx vec.PerGroup // Σ w and Σ w·x
	dead    [vec.Groups]bool

	scale, best vec.PerGroup // found so far, and its error
	inv, from   vec.PerGroup // what gives the codes of that
}

// fitScaleMins is [FitScaleMin] of eight groups of equal length that lie one behind the other.
func fitScaleMins(codes []uint8, x, w []float32, top int32, s Sweep) (scale, lo vec.PerGroup) {
	f := groupFit{n: len(x), top: top}
	f.load(x, w)
	f.start(s)
	for k := range s.Steps + 1 {
		f.try(s, k)
	}
	n := len(x) / vec.Groups
	for g := range vec.Groups {
		if f.dead[g] {
			clear(codes[g*n : (g+1)*n])
			continue
		}
		quantizeFrom(codes[g*n:(g+1)*n], x[g*n:(g+1)*n], f.inv[g], f.from[g], top)
	}
	return f.scale, f.lo
}

// load puts the groups side by side.
func (f *groupFit) load(x, w []float32) {
	n := len(x) / vec.Groups
	for g := range vec.Groups {
		a, b := x[g*n:(g+1)*n], w[g*n:(g+1)*n]
		for i, v := range a {
			f.x[i*vec.Groups+g], f.w[i*vec.Groups+g] = v, b[i]
		}
		lo, hi := num.Span(a)
		f.lo[g], f.hi[g] = min(lo, 0), hi
		f.dead[g] = hi <= f.lo[g]
		f.sw[g], f.swx[g] = moments(a, b)
	}
}

// start begins with the scale that spreads all values over all codes.
func (f *groupFit) start(s Sweep) {
	for g := range vec.Groups {
		if !f.dead[g] {
			f.inv[g] = float32(f.top) / (f.hi[g] - f.lo[g])
			f.scale[g] = 1 / f.inv[g]
		}
	}
	f.from = f.lo
	vec.GroupErrors(&f.best, f.x[:f.n], f.w[:f.n], &f.inv, &f.from, f.top, &f.scale, &f.lo, s.Absolute)
}

// try tries number k of the inverse scales.
func (f *groupFit) try(s Sweep, k int) {
	var inv, sl, sl2, slx, scale, least, e vec.PerGroup
	for g := range vec.Groups {
		if !f.dead[g] {
			// hi - lo with the minimum found so far, as in the reference.
			inv[g] = (s.From + float32(s.Step*float32(k)) + float32(f.top)) / (f.hi[g] - f.lo[g])
		}
	}
	vec.GroupSums(&sl, &sl2, &slx, f.x[:f.n], f.w[:f.n], &inv, &f.lo, f.top)
	var ok [vec.Groups]bool
	for g := range vec.Groups {
		scale[g], least[g], ok[g] = line(f.sw[g], f.swx[g], sl[g], sl2[g], slx[g])
	}
	vec.GroupErrors(&e, f.x[:f.n], f.w[:f.n], &inv, &f.lo, f.top, &scale, &least, s.Absolute)
	for g := range vec.Groups {
		if ok[g] && !f.dead[g] && e[g] < f.best[g] {
			f.inv[g], f.from[g] = inv[g], f.lo[g]
			f.best[g], f.scale[g], f.lo[g] = e[g], scale[g], least[g]
		}
	}
}
