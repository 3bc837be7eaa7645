package vec

import "mptgo/quantize/internal/num"

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

// TableTries is how many inverse scales [CorrelateTable] tries at the same time.
const TableTries = 16

// Halves is a function of numbers from -127 up to 113 that changes at multiples of ½ only: entry
// i holds for those from i/2-127 on. Below and above the first and the last one hold.
type Halves [481]float32

// CorrelateTable sets a[t] to Σ w·q·x and b[t] to Σ w·q·q for the entries q of a table that the
// values x get with the inverse scale inv[t]; NaN gets the first. The sums are added up from the
// first value to the last. X and w are of the same length.
func CorrelateTable(a, b *[TableTries]float32, x, w []float32, inv *[TableTries]float32, table *Halves) {
	w = w[:len(x)]
	if len(x) > 0 && correlateTableFast(a, b, x, w, inv, table) {
		return
	}
	for t, scale := range inv {
		a[t], b[t] = 0, 0
		for i, v := range x {
			q := table.at(float32(scale * v))
			wq := float32(w[i] * q)
			a[t] += float32(wq * v)
			b[t] += float32(wq * q)
		}
	}
}

// at returns the entry for v.
func (h *Halves) at(v float32) float32 {
	switch {
	case !(v > -127): // a NaN is here too
		return h[0]
	case v >= 113:
		return h[len(h)-1]
	}
	i := int32(2 * v)
	if float32(i) > 2*v {
		i--
	}
	return h[i+254]
}
