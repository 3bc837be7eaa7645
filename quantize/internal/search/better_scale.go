package search

import (
	"math"
	"mptgo/internal/codebook"
	"mptgo/internal/half"
	"mptgo/quantize/internal/num"
)

// The better search for groups with a scale and no minimum: x ≈ a·q, where q is
// an integer or an entry of a table. What codes explain of Σ w·x·x is the square
// of Σ w·q·x over Σ w·q·q, so the values are gone over once for each set of
// codes. Sums are float64.

// scaleSums are the sums over a group that depend on its codes.
type scaleSums struct{ qq, qx float64 } // Σ w·q·q, Σ w·q·x

// A scaleGroup is a group of up to 32 values and their weights.
type scaleGroup struct {
	x     []float32
	w, wx [32]float64
	top   int32 // codes are -top..top-1; 0: they are entries of [codebook.NonLinear]
	sums  scaleSums
}

// set fills a group.
func (g *scaleGroup) set(x, w []float32, top int32) {
	g.x, g.top, g.sums = x, top, scaleSums{}
	w = w[:len(x)]
	for i, v := range x {
		g.w[i] = float64(w[i])
		g.wx[i] = float64(w[i]) * float64(v)
	}
}

// try returns the sums for the codes that x gets with an inverse scale.
func (g *scaleGroup) try(inv float32) (s scaleSums) {
	if g.top == 0 {
		return g.tryTable(inv)
	}
	x := g.x
	w, wx := g.w[:len(x)], g.wx[:len(x)]
	for i, v := range x {
		q := float64(num.Clamp(num.Nearest(float32(v*inv)), -g.top, g.top-1))
		s.qq += float64(w[i] * q * q)
		s.qx += float64(wx[i] * q)
	}
	return s
}

func (g *scaleGroup) tryTable(inv float32) (s scaleSums) {
	x := g.x
	w, wx := g.w[:len(x)], g.wx[:len(x)]
	for i, v := range x {
		q := float64(codebook.NonLinear[NonLinearCode(float32(v*inv))&15])
		s.qq += float64(w[i] * q * q)
		s.qx += float64(wx[i] * q)
	}
	return s
}

// scale returns the best a for the codes found.
func (s scaleSums) scale() float64 {
	if s.qq > 0 {
		return s.qx / s.qq
	}
	return 0
}

// better reports whether the codes of s explain more than those of t.
func (s scaleSums) better(t scaleSums) bool {
	return s.qq > 0 && (t.qq == 0 || float64(s.qx*s.qx)*t.qq > float64(t.qx*t.qx)*s.qq)
}

// fit looks for the codes. Starts are what the value of greatest magnitude is
// mapped to at first; then each scale gives codes and these a better scale, as
// long as that helps.
func (g *scaleGroup) fit(starts []float32) {
	m := num.Extreme(g.x)
	if num.Tiny(m) {
		return
	}
	for _, q := range starts {
		if s := g.try(q / m); s.better(g.sums) {
			g.sums = s
		}
	}
	for range scaleRounds {
		a := float32(g.sums.scale())
		if !(num.Abs(a)*1e5 > num.Abs(m)) {
			break
		}
		s := g.try(1 / a)
		if !s.better(g.sums) {
			break
		}
		g.sums = s
	}
}

// startsAt returns starts from lo to hi and, for values of the other sign, from
// lo2 to hi2, a step apart.
func startsAt(lo, hi, lo2, hi2, step float32) (starts []float32) {
	for i := float32(0); lo+float32(i*step) <= hi; i++ {
		starts = append(starts, lo+float32(i*step))
	}
	for i := float32(0); lo2+float32(i*step) <= hi2; i++ {
		starts = append(starts, lo2+float32(i*step))
	}
	return starts
}

// StartsInteger are the starts for the codes -top..top-1: the value of greatest
// magnitude gets one of the outermost codes or falls beyond them.
func StartsInteger(top float32) []float32 {
	return startsAt(-top-0.9, -top+0.91, top-1.6, top-0.39, 0.3)
}

// StartsTable are those for the table K.
var StartsTable = startsAt(-134, -120, 107, 119, 2)

// scaleRounds is how often fit improves on the best start at most.
const scaleRounds = 3

// A ScaleBlock is a block of groups whose scales are integers times one scale.
type ScaleBlock struct {
	groups [16]scaleGroup
	S      [16]int32
	D      float32
}

// Fit looks for the integers from..to of n groups of size values, and for d.
func (k *ScaleBlock) Fit(x, w []float32, n int, top, from, to int32, starts []float32) {
	size := len(x) / n
	var most float64
	for j := range n {
		g := &k.groups[j]
		g.set(x[j*size:(j+1)*size], w[j*size:(j+1)*size], top)
		g.fit(starts)
		if a := g.sums.scale(); math.Abs(a) > math.Abs(most) {
			most = a
		}
	}
	k.start(n, most, from, to)
	var ss, sx float64
	for j, g := range k.groups[:n] {
		s := float64(k.S[j])
		ss += float64(s * s * g.sums.qq)
		sx += float64(s * g.sums.qx)
	}
	if ss > 0 && nearScale(sx/ss, k.D) {
		k.D = half.Stored(sx / ss)
		k.choose(n, from, to)
	}
	for j := range n {
		k.S[j] = k.groups[j].neighbour(k.D, k.S[j], from, to)
	}
}

// neighbour returns the best of the integers s-1, s and s+1, each with codes of
// its own. Of large ones it makes no difference, and it returns s.
func (g *scaleGroup) neighbour(d float32, s, from, to int32) int32 {
	if d == 0 || s > 8 || s < -8 {
		return s
	}
	best, least := int32(0), 0.
	for i := max(s-1, from); i <= min(s+1, to); i++ {
		a := d * float32(i)
		inv := num.Inverse(a)
		if inv == 0 {
			continue
		}
		t := g.try(inv)
		if e := float64(float64(a) * (float64(float64(a)*t.qq) - 2*t.qx)); e < least {
			best, least = i, e
		}
	}
	return best
}

// start sets d to the best of those that give the group of greatest scale, most,
// one of the outermost integers.
func (k *ScaleBlock) start(n int, most float64, from, to int32) {
	best := math.Inf(1)
	for _, end := range [2]int32{from, to} {
		for i := -8; i <= 8; i++ {
			d := most / (float64(end) + float64(0.2*float64(i)))
			if e := k.error(n, d, from, to); e < best {
				best, k.D = e, half.Stored(d)
			}
		}
	}
	k.choose(n, from, to)
}

// error returns the error with a scale d, less Σ w·x·x, for the codes that the
// groups have.
func (k *ScaleBlock) error(n int, d float64, from, to int32) (sum float64) {
	if d == 0 {
		return 0
	}
	id := 1 / d
	for j := range n {
		t := &k.groups[j].sums
		a := d * math.RoundToEven(max(min(t.scale()*id, float64(to)), float64(from)))
		sum += float64(a * (float64(a*t.qq) - 2*t.qx))
	}
	return sum
}

// choose sets the integers to the best ones for the codes that the groups have.
func (k *ScaleBlock) choose(n int, from, to int32) {
	for j := range n {
		k.S[j] = 0
		if k.D != 0 {
			k.S[j] = num.Clamp(int32(math.RoundToEven(k.groups[j].sums.scale()/float64(k.D))), from, to)
		}
	}
}

// nearScale reports whether a has the sign of b and is not far from it.
func nearScale(a float64, b float32) bool {
	r := a / float64(b)
	return r > 0.5 && r < 2
}

// FitSingle returns the scale of one group that is a block, as it will be stored.
func FitSingle(x, w []float32, top int32, starts []float32) float32 {
	var g scaleGroup
	g.set(x, w, top)
	g.fit(starts)
	return half.Stored(g.sums.scale())
}

// SingleCodes is FitSingle for codes that are integers; it sets them to
// 0..2·top-1.
func SingleCodes(codes []uint8, x, w []float32, top int32, starts []float32) float32 {
	d := FitSingle(x, w, top, starts)
	integerCodes(codes, x, d, top)
	return d
}

// Code sets the codes of group j, of the values x, to 0..2·top-1 for the scale
// as it is stored.
func (k *ScaleBlock) Code(codes []uint8, x []float32, j int, top int32) {
	integerCodes(codes, x, k.D*float32(k.S[j]), top)
}

// integerCodes sets codes to 0..2·top-1 for values d·(code-top).
func integerCodes(codes []uint8, x []float32, d float32, top int32) {
	id := num.Inverse(d)
	for i := range codes {
		codes[i] = uint8(num.Clamp(num.Nearest(float32(x[i]*id)), -top, top-1) + top)
	}
}
