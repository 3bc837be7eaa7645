package search

import (
	"mptgo/internal/half"
	"mptgo/quantize/internal/num"
	"mptgo/quantize/internal/vec"
)

// What Q2_K, Q4_K and Q5_K have in common: groups of values with a scale and a
// minimum each, which are integers times one scale and one minimum of the block.

// A ScaleMinBlock is 256 values on the way to such a block.
type ScaleMinBlock struct {
	Codes    [256]uint8
	S, M     [16]uint8 // the integer scales and minima of the groups
	d, dmin  float32   // what they are multiples of
	scale    [16]float32
	min      [16]float32 // what is subtracted, not negative
	W        [256]float32
	sums     [16]float32 // of w in each group
	Group, N int         // values in a group, number of groups
}

// Fit looks for the scale and minimum of every group.
func (k *ScaleMinBlock) Fit(x []float32, top int32, s Sweep) {
	for j := 0; j < k.N; j += vec.Groups {
		i, e := j*k.Group, (j+vec.Groups)*k.Group
		scale, lo := fitScaleMins(k.Codes[i:e], x[i:e], k.W[i:e], top, s)
		for g := range scale {
			k.scale[j+g], k.min[j+g] = scale[g], -lo[g]
		}
	}
	for j := range k.N {
		k.sums[j] = num.Sum(k.W[j*k.Group : (j+1)*k.Group])
	}
}

// Integers turns scales and minima to integers 0..top by their largest ones.
func (k *ScaleMinBlock) Integers(top int32) {
	k.d = multiples(k.S[:k.N], k.scale[:k.N], top)
	k.dmin = multiples(k.M[:k.N], k.min[:k.N], top)
}

// FitIntegers turns scales and minima to integers 0..top, with more care for
// those of groups that matter more.
func (k *ScaleMinBlock) FitIntegers(top int32) {
	k.d = fitPositive(k.S[:k.N], k.scale[:k.N], k.sums[:k.N], top)
	k.dmin = fitPositive(k.M[:k.N], k.min[:k.N], k.sums[:k.N], top)
}

// multiples sets codes to integers 0..top and returns a scale such that
// x ≈ scale·code, where the largest of x gets the code top.
func multiples(codes []uint8, x []float32, top int32) float32 {
	m := max(0, num.Largest(x))
	if num.Tiny(m) {
		clear(codes)
		return 0
	}
	inv := float32(top) / m
	for i, v := range x {
		codes[i] = uint8(min(num.Nearest(float32(inv*v)), top))
	}
	return m / float32(top)
}

// Requantize sets the codes of all values to 0..top anew, for the scales as they
// are stored, and writes d and dmin as binary16. Groups whose scale is 0 keep
// their codes.
func (k *ScaleMinBlock) Requantize(x []float32, top int32, d, dmin []byte) {
	half.Put(d, k.d)
	half.Put(dmin, k.dmin)
	ds, dm := half.Get(d), half.Get(dmin)
	for j := range k.N {
		scale, lo := ds*float32(k.S[j]), dm*float32(k.M[j])
		if scale == 0 {
			continue
		}
		i, e := j*k.Group, (j+1)*k.Group
		vec.Codes(k.Codes[i:e], x[i:e], &vec.Code{Scale: scale, Lo: -lo, Divide: true, Most: top})
	}
}
