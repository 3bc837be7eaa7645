package quantize

// What Q2_K, Q4_K and Q5_K have in common: groups of values with a scale and a
// minimum each, which are integers times one scale and one minimum of the block.

// A scaleMinBlock is 256 values on the way to such a block.
type scaleMinBlock struct {
	codes    [256]uint8
	s, m     [16]uint8 // the integer scales and minima of the groups
	d, dmin  float32   // what they are multiples of
	scale    [16]float32
	min      [16]float32 // what is subtracted, not negative
	w        [256]float32
	sums     [16]float32 // of w in each group
	group, n int         // values in a group, number of groups
}

// fit looks for the scale and minimum of every group.
func (k *scaleMinBlock) fit(x []float32, top int32, s sweep) {
	for j := range k.n {
		i, e := j*k.group, (j+1)*k.group
		scale, lo := fitScaleMin(k.codes[i:e], x[i:e], k.w[i:e], top, s)
		k.scale[j], k.min[j] = scale, -lo
		k.sums[j] = sum(k.w[i:e])
	}
}

// integers turns scales and minima to integers 0..top by their largest ones.
func (k *scaleMinBlock) integers(top int32) {
	k.d = multiples(k.s[:k.n], k.scale[:k.n], top)
	k.dmin = multiples(k.m[:k.n], k.min[:k.n], top)
}

// fitIntegers turns scales and minima to integers 0..top, with more care for
// those of groups that matter more.
func (k *scaleMinBlock) fitIntegers(top int32) {
	k.d = fitPositive(k.s[:k.n], k.scale[:k.n], k.sums[:k.n], top)
	k.dmin = fitPositive(k.m[:k.n], k.min[:k.n], k.sums[:k.n], top)
}

// multiples sets codes to integers 0..top and returns a scale such that
// x ≈ scale·code, where the largest of x gets the code top.
func multiples(codes []uint8, x []float32, top int32) float32 {
	m := max(0, largest(x))
	if tiny(m) {
		clear(codes)
		return 0
	}
	inv := float32(top) / m
	for i, v := range x {
		codes[i] = uint8(min(nearest(float32(inv*v)), top))
	}
	return m / float32(top)
}

// requantize sets the codes of all values to 0..top anew, for the scales as they
// are stored, and writes d and dmin as binary16. Groups whose scale is 0 keep
// their codes.
func (k *scaleMinBlock) requantize(x []float32, top int32, d, dmin []byte) {
	putHalf(d, k.d)
	putHalf(dmin, k.dmin)
	ds, dm := half(d), half(dmin)
	for j := range k.n {
		scale, lo := ds*float32(k.s[j]), dm*float32(k.m[j])
		if scale == 0 {
			continue
		}
		i, e := j*k.group, (j+1)*k.group
		codes := k.codes[i:e]
		for l, v := range x[i:e] {
			codes[l] = uint8(clamp(nearest((v+lo)/scale), 0, top))
		}
	}
}
