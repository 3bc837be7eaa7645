package cpu

// Fetch walks through memory that will be read soon, spread evenly over the
// steps of the kernels that run until then.
type Fetch struct {
	At   uintptr
	Step int
}

// FetchAhead is how far ahead memory is fetched at least: less than it delivers in
// its latency, and cores wait. Rows of a strip of 2048 4-bit weights are 9 KB.
const FetchAhead = 32 << 10

// Next returns where n steps begin.
func (f *Fetch) Next(n int) uintptr {
	at := f.At
	f.At += uintptr(n * f.Step)
	return at
}
