package kinds

// A Panel is a kind of unpacked weights: 16 rows, and for 32 columns first the vectors that Form
// names, 16 numbers each, then the codes.
type Panel struct {
	Name  string
	Note  string // what the codes are
	Form  Form
	Zero  int  // the zero point of the codes, 0 if they have none or the panel has it
	Words bool // codes are int16 instead of bytes, and are multiplied with wide blocks
}

// Form says what weights are made of besides codes.
type Form int

const (
	Plain     Form = iota // a scale
	Min                   // a scale and a minimum
	Halves                // a scale, and integer scales for each 16 columns
	HalvesMin             // and what the minima for each 16 columns are multiples of, and those
)

// HasMin reports whether weights have minima.
func (f Form) HasMin() bool { return f == Min || f == HalvesMin }

// HasHalves reports whether they have scales for each 16 columns.
func (f Form) HasHalves() bool { return f == Halves || f == HalvesMin }

// CodeBytes returns the bytes of the codes of 32 columns.
func (p Panel) CodeBytes() int {
	if p.Words {
		return 1024
	}
	return 512
}

// The panels of the tiles that multiply with VPMADDUBSW, whose sums of a few products must fit
// int16: the fewer bits codes have, the longer they need not be widened.
var AVX2 = []Panel{
	{Name: "Plain4", Note: "codes 0..15 with zero point 8", Zero: 8},
	{Name: "Min4", Note: "codes 0..15 with minima", Form: Min},
	{Name: "Plain5", Note: "codes 0..31 with zero point 16", Zero: 16},
	{Name: "Min5", Note: "codes 0..31 with minima", Form: Min},
	{Name: "Halves6", Note: "codes 0..63 with zero point 32 and scales for each 16", Form: Halves},
	{Name: "Halves3", Note: "codes 0..7 with zero point 4 and scales for each 16", Form: Halves},
	{Name: "HalvesMin3", Note: "codes 0..7 with scales and minima for each 16", Form: HalvesMin},
	{Name: "Plain16", Note: "int16 weights", Words: true},
}

// The panels of the tiles that multiply with VPDPBUSD: unsigned codes.
var VNNI = []Panel{
	{Name: "Plain4", Note: "codes with zero point 8", Zero: 8},
	{Name: "Plain5", Note: "codes with zero point 16", Zero: 16},
	{Name: "Plain8", Note: "codes with zero point 128", Zero: 128},
	{Name: "Min", Note: "codes with minima", Form: Min},
	{Name: "Halves", Note: "codes with scales for each 16, the zero point in the panel", Form: Halves},
	{Name: "HalvesMin", Note: "codes with scales and minima for each 16", Form: HalvesMin},
}

// The panels of arm64, which has signed products: signed codes, zero points taken off.
var ARM64 = []Panel{
	{Name: "Plain", Note: "signed codes"},
	{Name: "Min", Note: "codes with minima", Form: Min},
	{Name: "Halves", Note: "signed codes with scales for each 16", Form: Halves},
}
