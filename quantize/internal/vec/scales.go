package vec

import (
	"mptgo/internal/half"
	"mptgo/quantize/internal/num"
)

// Tries is how many inverse scales [Correlate] tries at the same time.
const Tries = 24

// Correlate sets sx[t] to Σ w·x·q and s2[t] to Σ w·q·q for the codes q that the values x get
// with the inverse scale inv[t]: rounded, and limited to lo..hi. The sums are added up from the
// first value to the last. X and w are of the same length.
func Correlate(sx, s2 *[Tries]float32, x, w []float32, inv *[Tries]float32, lo, hi int32) {
	w = w[:len(x)]
	if len(x) > 0 && correlateFast(sx, s2, x, w, inv, lo, hi) {
		return
	}
	for t, scale := range inv {
		sx[t], s2[t] = 0, 0
		for i, v := range x {
			q := float32(num.Clamp(num.Nearest(float32(scale*v)), lo, hi))
			sx[t] += float32(float32(w[i]*v) * q)
			s2[t] += float32(float32(w[i]*q) * q)
		}
	}
}

// Groups is how many groups of values [GroupSums] and [GroupErrors] work on at the same time.
// Value i of group g lies at i·Groups + g.
const Groups = 8

// PerGroup is a number for each group.
type PerGroup [Groups]float32

// GroupSums sets, for each group, sl to Σ w·q, sl2 to Σ w·q·q and slx to Σ w·q·x for the codes q
// of its values: (x-lo)·inv, rounded and limited to 0..top. Values are added up in their order.
func GroupSums(sl, sl2, slx *PerGroup, x, w []float32, inv, lo *PerGroup, top int32) {
	w = w[:len(x)]
	if len(x) > 0 && groupSumsFast(sl, sl2, slx, x, w, inv, lo, top) {
		return
	}
	*sl, *sl2, *slx = PerGroup{}, PerGroup{}, PerGroup{}
	for i, v := range x {
		g := i % Groups
		q := groupCode(v, inv[g], lo[g], top)
		wq := float32(w[i] * q)
		sl[g] += wq
		sl2[g] += float32(wq * q)
		slx[g] += float32(wq * v)
	}
}

// GroupErrors sets e to Σ w·(scale·q + least - x)², or with absolute to Σ w·|scale·q + least - x|,
// for the codes q that [GroupSums] has for inv and lo.
func GroupErrors(e *PerGroup, x, w []float32, inv, lo *PerGroup, top int32, scale, least *PerGroup, absolute bool) {
	w = w[:len(x)]
	if len(x) > 0 && groupErrorsFast(e, x, w, inv, lo, top, scale, least, absolute) {
		return
	}
	*e = PerGroup{}
	for i, v := range x {
		g := i % Groups
		d := float32(scale[g]*groupCode(v, inv[g], lo[g], top)) + least[g] - v
		if absolute {
			e[g] += float32(w[i] * num.Abs(d))
		} else {
			e[g] += float32(w[i] * float32(d*d))
		}
	}
}

func groupCode(v, inv, lo float32, top int32) float32 {
	return float32(num.Clamp(num.Nearest(float32(inv*(v-lo))), 0, top))
}

// Code is how [Codes] turns values to codes: Offset more than (x-Lo)·Scale, or with Divide than
// (x-Lo)/Scale, rounded and limited to Least..Most.
type Code struct {
	Scale, Lo           float32
	Divide              bool
	Least, Most, Offset int32
}

// Codes sets codes to those of x, which are as many and fit into bytes.
func Codes(codes []uint8, x []float32, c *Code) {
	codes = codes[:len(x)]
	for i := codesFast(codes, x, c); i < len(x); i++ {
		v := x[i] - c.Lo
		if c.Divide {
			v /= c.Scale
		} else {
			v *= c.Scale
		}
		codes[i] = uint8(num.Clamp(num.Nearest(v), c.Least, c.Most) + c.Offset)
	}
}

// DecodeF16 sets dst to the binary16 numbers in src, which are little-endian.
func DecodeF16(dst []float32, src []byte) {
	src = src[:2*len(dst)]
	for i := decodeF16Fast(dst, src); i < len(dst); i++ {
		dst[i] = half.Get(src[2*i:])
	}
}
