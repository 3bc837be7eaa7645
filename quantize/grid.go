package quantize

// scaleSigned sets x to the coordinates of a point times d, negated where a bit
// of signs is set.
func scaleSigned(x []float32, d float32, point []int8, signs uint8) {
	for i, g := range point[:len(x)] {
		x[i] = d * float32(g)
		if signs>>i&1 != 0 {
			x[i] = -x[i]
		}
	}
}
