package quantize

import (
	"mptgo/gguf"
	"mptgo/internal/codebook"
)

// IQ4_NL stores 32 values as 4-bit indices q into a table of 8-bit numbers that
// lie closer near zero, with one scale d: x ≈ d·K[q].
//
//	byte  0..1   d, binary16
//	byte  2..17  low nibble of byte 2+i is q[i], high nibble is q[16+i]
var iq4_NL = Format{
	Type:   gguf.IQ4_NL,
	Encode: blockEncoder(gguf.IQ4_NL, encodeIQ4_NL),
	Decode: decoder(gguf.IQ4_NL, decodeIQ4_NL),
	better: blockEncoder(gguf.IQ4_NL, betterIQ4_NL),
	grid:   gridIQ4_NL,
	bad:    badHalves(gguf.IQ4_NL, 0),
}

func betterIQ4_NL(b []byte, x, importance []float32) {
	var w [32]float32
	weighBetter(w[:], x, importance)
	d := fitSingle(x, w[:], 0, startsTable)
	putHalf(b, d)
	var codes [32]uint8
	nearestNonLinear(codes[:], x, inverse(d))
	packNibbles((*[16]byte)(b[2:]), &codes)
}

func decodeIQ4_NL(x []float32, b []byte) {
	lookupNibbles(x, half(b[0:]), b[2:], &codebook.NonLinear)
}

// lookupNibbles sets the first half of x to the numbers in table that the low
// nibbles of q stand for, times d, and the second half to those of the high ones.
func lookupNibbles(x []float32, d float32, q []byte, table *[16]int8) {
	n := len(x) / 2
	for i, v := range q[:n] {
		x[i] = d * float32(table[v&15])
		x[i+n] = d * float32(table[v>>4])
	}
}

// encodeIQ4_NL fits one scale; w is for the importance of the values, or nil.
func encodeIQ4_NL(b []byte, x, importance []float32) {
	var w [32]float32
	weighIQ4(w[:], x, importance)
	d := fitNonLinear(x, w[:])
	putHalf(b, d)
	var codes [32]uint8
	nearestNonLinear(codes[:], x, inverse(d))
	packNibbles((*[16]byte)(b[2:]), &codes)
}

// weighIQ4 sets the weights of all values of a block.
func weighIQ4(w, x, importance []float32) {
	if importance == nil {
		square(w, x)
		return
	}
	// The product, not the quotient, as in the reference; 2/len(x) is exact.
	weigh(w, x, importance, sumSquares(x)*(2/float32(len(x))))
}

// fitNonLinear returns the scale d that makes d·K[q] fit x best, of those that
// map the value of greatest magnitude to K[0] or near it.
func fitNonLinear(x, w []float32) (d float32) {
	m := extreme(x)
	if tiny(m) {
		return 0
	}
	a, b := correlateNonLinear(x, w, 1/(m/127))
	if b > 0 {
		d = a / b
	}
	best := d * a
	for k := -7; k <= 7; k++ {
		a, b := correlateNonLinear(x, w, float32(k-127)/m)
		if b > 0 && float32(a*a) > float32(best*b) {
			d = a / b
			best = d * a
		}
	}
	return d
}

// correlateNonLinear returns Σ w·q·x and Σ w·q·q for the entries q of the table
// that x gets with the inverse scale inv.
func correlateNonLinear(x, w []float32, inv float32) (a, b float32) {
	w = w[:len(x)]
	for i, v := range x {
		q := float32(codebook.NonLinear[nonLinearCode(float32(inv*v))])
		wq := float32(w[i] * q)
		a += float32(wq * v)
		b += float32(wq * q)
	}
	return a, b
}

// nearestNonLinear sets codes to the entries of the table nearest to inv·x.
func nearestNonLinear(codes []uint8, x []float32, inv float32) {
	for i, v := range x {
		codes[i] = nonLinearCode(float32(inv * v))
	}
}

// nonLinearCode returns the entry of the table K nearest to v, the upper one of
// two. All points half-way between entries are multiples of ½, so the code
// depends on the floor of 2v only.
func nonLinearCode(v float32) uint8 {
	switch {
	case !(v > -127): // a NaN is here too
		return 0
	case v >= 113:
		return 15
	}
	i := int32(2 * v)
	if float32(i) > 2*v {
		i--
	}
	return nonLinearCodes[i+254]
}

// nonLinearCodes[i+254] is the code of values from i/2 up to (i+1)/2.
var nonLinearCodes = func() (table [481]uint8) {
	code := 0
	for i := range table {
		for code < 15 && i-254 >= int(codebook.NonLinear[code])+int(codebook.NonLinear[code+1]) {
			code++
		}
		table[i] = uint8(code)
	}
	return table
}()
