package quantize

import (
	"embed"
	"encoding/base64"
	"encoding/binary"
	"math/bits"
	"strings"
	"sync"
)

// A grid is the table that a codebook format indexes: points of four or eight
// coordinates, packed into a number of 2 or 3 bits each. The grids are ggml's.
//
// The files hold the packed points in ascending order: base64 of the gaps
// between them, less one, as varints.
//
//go:embed grids
var gridFiles embed.FS

var (
	gridIQ2_XXS = grid("iq2_xxs", 8, 8, 25, 43)
	gridIQ2_XS  = grid("iq2_xs", 8, 8, 25, 43)
	gridIQ2_S   = grid("iq2_s", 8, 8, 25, 43)
	gridIQ1     = grid("iq1_s", 8, -1, 0, 1)
	gridIQ3_XXS = grid("iq3_xxs", 4, 4, 12, 20, 28, 36, 44, 52, 62)
	gridIQ3_S   = grid("iq3_s", 4, 1, 3, 5, 7, 9, 11, 13, 15)
)

// grid returns a function that reads a grid when it is first called: all
// coordinates, dims for each point. Values are what the packed numbers mean.
func grid(name string, dims int, values ...int8) func() []int8 {
	return sync.OnceValue(func() []int8 {
		width := bits.Len(uint(len(values) - 1))
		var points []int8
		for _, p := range packedGrid(name) {
			for k := range dims {
				points = append(points, values[p>>(width*k)&(1<<width-1)])
			}
		}
		return points
	})
}

// packedGrid returns the points of a grid as they are packed. The files are part
// of the program: that they are well formed is for its tests to say.
func packedGrid(name string) []uint16 {
	text, err := gridFiles.ReadFile("grids/" + name + ".b64")
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

// evenSigns returns the eight signs that an index of 7 bits stands for: the
// last one makes the number of negative ones even.
func evenSigns(index uint32) uint8 {
	s := uint8(index & 127)
	return s | uint8(bits.OnesCount8(s)&1)<<7
}
