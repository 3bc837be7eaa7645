// Package codebook holds the tables that the codes of tensor types index, for
// what decodes them and for what computes with them.
//
// A grid is a table of points of four or eight coordinates, packed into a number
// of 2 or 3 bits each. The grids are ggml's.
package codebook

import (
	"embed"
	"encoding/base64"
	"encoding/binary"
	"math"
	"math/bits"
	"strings"
	"sync"
)

// The files hold the packed points in ascending order: base64 of the gaps
// between them, less one, as varints.
//
//go:embed grids
var files embed.FS

// The coordinates of all points of the grids, one point after the other. A grid
// is read when it is first asked for.
var (
	IQ2_XXS = grid("iq2_xxs", 8, 8, 25, 43)
	IQ2_XS  = grid("iq2_xs", 8, 8, 25, 43)
	IQ2_S   = grid("iq2_s", 8, 8, 25, 43)
	IQ1     = grid("iq1_s", 8, -1, 0, 1)
	IQ3_XXS = grid("iq3_xxs", 4, 4, 12, 20, 28, 36, 44, 52, 62)
	IQ3_S   = grid("iq3_s", 4, 1, 3, 5, 7, 9, 11, 13, 15)
)

// NonLinear is what the codes of IQ4_NL and IQ4_XS stand for.
var NonLinear = [16]int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// Float4 is what the codes of MXFP4 and NVFP4 stand for: twice the numbers of a
// float with 2 bits of exponent and 1 of mantissa.
var Float4 = [16]int8{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

// grid returns a function that reads a grid when it is first called: all
// coordinates, dims for each point. Values are what the packed numbers mean.
func grid(name string, dims int, values ...int8) func() []int8 {
	return sync.OnceValue(func() []int8 {
		width := bits.Len(uint(len(values) - 1))
		var points []int8
		for _, p := range Packed(name) {
			for k := range dims {
				points = append(points, values[p>>(width*k)&(1<<width-1)])
			}
		}
		return points
	})
}

// Packed returns the points of a grid as they are packed. The files are part of
// the program: that they are well formed is for tests to say.
func Packed(name string) []uint16 {
	text, err := files.ReadFile("grids/" + name + ".b64")
	if err != nil {
		panic(err)
	}
	data, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
	if err != nil {
		panic(err)
	}
	var points []uint16
	last := -1
	for len(data) > 0 {
		gap, n := binary.Uvarint(data)
		last += 1 + int(gap)
		points, data = append(points, uint16(last)), data[n:]
	}
	return points
}

// EvenSigns returns the eight signs that an index of 7 bits stands for: the
// last one makes the number of negative ones even.
func EvenSigns(index uint32) uint8 {
	s := uint8(index & 127)
	return s | uint8(bits.OnesCount8(s)&1)<<7
}

// HalfPower returns 2^(e-128), half of what the scale byte of MXFP4 stands for.
func HalfPower(e uint8) float32 {
	if e < 2 {
		return math.Float32frombits(0x00200000 << e)
	}
	return math.Float32frombits(uint32(e-1) << 23)
}
