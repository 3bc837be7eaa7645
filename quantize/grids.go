package quantize

import (
	"encoding/binary"
	"mptgo/internal/half"
	"mptgo/quantize/internal/search"
)

// The grids of the types that have such: where their blocks hold scales and codes.

// single returns the grid of blocks of 32 values with one scale, and perhaps one
// number that is added: the minimum with its sign changed.
func single(levels []float32, added bool, store func(b []byte, codes *[32]uint8)) *grid {
	g := &grid{group: 32, levels: levels, minScale: 1, maxScale: 1}
	rest := 2
	if added {
		g.minOffset, g.maxOffset, rest = 1, 1, 4
	}
	g.open = func(k *gridBlock, b []byte) {
		k.d = half.Get(b)
		if added {
			k.dmin = -half.Get(b[2:])
		}
	}
	g.close = func(b []byte, k *gridBlock) {
		half.Put(b, k.d)
		if added {
			half.Put(b[2:], -k.dmin)
		}
		store(b[rest:], (*[32]uint8)(k.codes[:]))
	}
	return g
}

func storeNibbles(b []byte, codes *[32]uint8) { packNibbles((*[16]byte)(b), codes) }
func storeFive(b []byte, codes *[32]uint8)    { packFive((*[20]byte)(b), codes) }

var (
	gridQ4_0 = single(integers(-8, 7), false, storeNibbles)
	gridQ4_1 = single(integers(0, 15), true, storeNibbles)
	gridQ5_0 = single(integers(-16, 15), false, storeFive)
	gridQ5_1 = single(integers(0, 31), true, storeFive)
	gridQ8_0 = single(integers(-128, 127), false, func(b []byte, codes *[32]uint8) {
		for i, q := range codes {
			b[i] = q - 128
		}
	})
	gridIQ4_NL = tabled(single(nonLinear, false, storeNibbles))
)

// tabled says that the levels of g are those of the table.
func tabled(g *grid) *grid {
	g.table = true
	return g
}

// withScales returns the grid of blocks of 256 values in groups with a scale each;
// ints reads or writes those, as they are stored, which is bias more than they are.
func withScales(group int, levels []float32, least, most int32, d int,
	read func(b []byte) [16]uint8, write func(b []byte, codes *[256]uint8, s *[16]uint8)) *grid {
	g := &grid{group: group, levels: levels, minScale: least, maxScale: most}
	g.open = func(k *gridBlock, b []byte) {
		k.d = half.Get(b[d:])
		for j, s := range read(b) {
			k.s[j] = int32(s) + least
		}
	}
	g.close = func(b []byte, k *gridBlock) {
		half.Put(b[d:], k.d)
		var s [16]uint8
		for j := range s {
			s[j] = uint8(k.s[j] - least)
		}
		write(b, &k.codes, &s)
	}
	return g
}

var (
	gridQ3_K   = withScales(16, integers(-4, 3), -32, 31, 108, scalesQ3_K, packThree)
	gridQ6_K   = withScales(16, integers(-32, 31), -128, 127, 208, scalesQ6_K, packQ6_K)
	gridIQ4_XS = tabled(withScales(32, nonLinear, -32, 31, 0, scalesIQ4_XS, packIQ4_XS))
)

func scalesQ3_K(b []byte) (s [16]uint8) {
	for j := range s {
		low, high := b[96+j%8]>>(j/8*4)&15, b[104+j%4]>>(j/4*2)&3
		s[j] = low | high<<4
	}
	return s
}

func scalesQ6_K(b []byte) (s [16]uint8) {
	for j := range s {
		s[j] = b[192+j] + 128
	}
	return s
}

func packQ6_K(b []byte, codes *[256]uint8, s *[16]uint8) {
	packSix((*[192]byte)(b), codes)
	for j, v := range s {
		b[192+j] = v - 128
	}
}

func scalesIQ4_XS(b []byte) (s [16]uint8) {
	high := binary.LittleEndian.Uint16(b[2:])
	for j := range 8 {
		s[j] = b[4+j/2]>>(j%2*4)&15 | uint8(high>>(2*j)&3)<<4
	}
	return s
}

func packIQ4_XS(b []byte, codes *[256]uint8, s *[16]uint8) {
	for j := range 8 {
		packNibbles((*[16]byte)(b[8+16*j:]), (*[32]uint8)(codes[32*j:]))
	}
	packScalesIQ4_XS(b[2:8], (*[8]uint8)(s[:]))
}

// withMinima returns the grid of blocks of 256 values in groups with a scale and a
// minimum each, of which d and dmin are at byte d.
func withMinima(group int, top int, most int32, d int,
	read func(b []byte) (s, m [16]uint8), write func(b []byte, k *search.ScaleMinBlock)) *grid {
	g := &grid{group: group, levels: integers(0, top), maxScale: most, maxOffset: most}
	g.open = func(k *gridBlock, b []byte) {
		k.d, k.dmin = half.Get(b[d:]), half.Get(b[d+2:])
		s, m := read(b)
		for j := range s {
			k.s[j], k.m[j] = int32(s[j]), int32(m[j])
		}
	}
	g.close = func(b []byte, k *gridBlock) {
		half.Put(b[d:], k.d)
		half.Put(b[d+2:], k.dmin)
		w := search.ScaleMinBlock{Codes: k.codes}
		for j := range k.s {
			w.S[j], w.M[j] = uint8(k.s[j]), uint8(k.m[j])
		}
		write(b, &w)
	}
	return g
}

var (
	gridQ2_K = withMinima(16, 3, 15, 80, func(b []byte) (s, m [16]uint8) {
		for j := range s {
			s[j], m[j] = b[j]&15, b[j]>>4
		}
		return s, m
	}, func(b []byte, k *search.ScaleMinBlock) { storeQ2_K(b, k) })
	gridQ4_K = withMinima(32, 15, 63, 0, sixBitPairs, func(b []byte, k *search.ScaleMinBlock) { storeQ4_K(b, k) })
	gridQ5_K = withMinima(32, 31, 63, 0, sixBitPairs, func(b []byte, k *search.ScaleMinBlock) { storeQ5_K(b, k) })
)

func sixBitPairs(b []byte) (s, m [16]uint8) {
	for j := range 8 {
		s[j], m[j] = scaleMin((*[12]byte)(b[4:]), j)
	}
	return s, m
}
