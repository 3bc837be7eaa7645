package kinds

// A block of quantised activations, act.Block, and one of 16-bit codes, act.WideBlock: the places
// of their fields.
const (
	ActSize  = 48
	ActD     = 32
	ActS     = 36
	ActZero8 = 40
	ActHalf  = 44
	WideSize = 68
	WideD    = 64
)

// An expanded block of weights, expandedBlock in package mat.
const (
	ExpandedSize = 40
	ExpandedD    = 32
	ExpandedS    = 36
)
