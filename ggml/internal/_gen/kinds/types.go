// Package kinds says where the parts of blocks of weights and of panels lie, for the generators
// of both architectures; what the tests of package mat need of it they get as a generated file.
package kinds

import "fmt"

// Type is a type of weights: blocks of Values weights that take Size bytes. The places are
// offsets in a block; what a type lacks is 0 or nil.
type Type struct {
	Name   string
	Values int
	Size   int

	// Halves are the binary16 numbers: the scale, then the minimum, or what the minima of
	// smaller blocks are multiples of.
	Halves []int

	Small Range // the smaller scales, and minima among them
	Codes int   // the codes, or their lower bits, or the indices of points
	High  int   // higher bits of the codes or indices
	Signs int   // the signs of points
}

// Range are the bytes from From to before To.
type Range struct{ From, To int }

// Types are all types of weights with blocks.
var Types = []Type{
	{Name: "Q4_0", Values: 32, Size: 18, Halves: []int{0}, Codes: 2},
	{Name: "Q4_1", Values: 32, Size: 20, Halves: []int{0, 2}, Codes: 4},
	{Name: "Q5_0", Values: 32, Size: 22, Halves: []int{0}, High: 2, Codes: 6},
	{Name: "Q5_1", Values: 32, Size: 24, Halves: []int{0, 2}, High: 4, Codes: 8},
	{Name: "Q8_0", Values: 32, Size: 34, Halves: []int{0}, Codes: 2},
	{Name: "IQ4_NL", Values: 32, Size: 18, Halves: []int{0}, Codes: 2},
	{Name: "MXFP4", Values: 32, Size: 17, Codes: 1}, // the scale is a byte
	{Name: "Q2_K", Values: 256, Size: 84, Small: Range{0, 16}, Codes: 16, Halves: []int{80, 82}},
	{Name: "Q3_K", Values: 256, Size: 110, High: 0, Codes: 32, Small: Range{96, 108}, Halves: []int{108}},
	{Name: "Q4_K", Values: 256, Size: 144, Halves: []int{0, 2}, Small: Range{4, 16}, Codes: 16},
	{Name: "Q5_K", Values: 256, Size: 176, Halves: []int{0, 2}, Small: Range{4, 16}, High: 16, Codes: 48},
	{Name: "Q6_K", Values: 256, Size: 210, Codes: 0, High: 128, Small: Range{192, 208}, Halves: []int{208}},
	{Name: "IQ4_XS", Values: 256, Size: 136, Halves: []int{0}, Small: Range{2, 8}, Codes: 8},
	{Name: "IQ2_XXS", Values: 256, Size: 66, Halves: []int{0}, Codes: 2}, // signs and scales are among them
	{Name: "IQ2_XS", Values: 256, Size: 74, Halves: []int{0}, Codes: 2, Small: Range{66, 74}},
	{Name: "IQ2_S", Values: 256, Size: 82, Halves: []int{0}, Codes: 2, Signs: 34, High: 66, Small: Range{74, 82}},
	{Name: "IQ3_XXS", Values: 256, Size: 98, Halves: []int{0}, Codes: 2, Signs: 66},
	{Name: "IQ3_S", Values: 256, Size: 110, Halves: []int{0}, Codes: 2, High: 66, Signs: 74, Small: Range{106, 110}},
	{Name: "IQ1_S", Values: 256, Size: 50, Halves: []int{0}, Codes: 2, High: 34, Small: Range{34, 50}},
	{Name: "IQ1_M", Values: 256, Size: 56, Codes: 0, High: 32, Small: Range{48, 56}}, // the scale is among them
	{Name: "TQ1_0", Values: 256, Size: 54, Codes: 0, Halves: []int{52}},
	{Name: "TQ2_0", Values: 256, Size: 66, Codes: 0, Halves: []int{64}},
}

// Of returns the type of a name.
func Of(name string) Type {
	for _, t := range Types {
		if t.Name == name {
			return t
		}
	}
	panic(fmt.Sprintf("kinds: no type %s", name))
}

// Scale returns the place of the scale.
func (t Type) Scale() int { return t.Halves[0] }

// Min returns the place of the minimum.
func (t Type) Min() int { return t.Halves[1] }
