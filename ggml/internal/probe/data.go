package probe

import (
	"math"
	"math/rand/v2"
)

// Data says how wild the numbers of a test are.
type Data int

const (
	Plain   Data = iota // of ordinary size
	Hostile             // denormals, both zeros, the largest
	Broken              // and some infinities and NaNs
)

var hostileHalves = []uint16{
	0x0000, 0x8000, 0x0001, 0x8001, 0x03ff, 0x83ff, 0x0400, 0x7bff, 0xfbff, 0x3c00, 0xbc00, 0x1234,
}

var brokenHalves = []uint16{0x7c00, 0xfc00, 0x7e00, 0xffff, 0x7c01}

// Half returns a random binary16 number.
func (d Data) Half(r *rand.Rand) uint16 {
	switch {
	case d == Broken && r.IntN(50) == 0:
		return brokenHalves[r.IntN(len(brokenHalves))]
	case d >= Hostile && r.IntN(2) == 0:
		return hostileHalves[r.IntN(len(hostileHalves))]
	}
	return uint16(r.IntN(1<<10)|(8+r.IntN(8))<<10) | uint16(r.IntN(2))<<15
}

// Float returns a random float32, the same on every architecture.
func (d Data) Float(r *rand.Rand) float32 {
	switch {
	case d == Broken && r.IntN(400) == 0:
		return []float32{float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}[r.IntN(3)]
	case d >= Hostile && r.IntN(3) == 0:
		h := []float32{0, float32(math.Copysign(0, -1)), 1e-45, -1e-45, 1e-38, 3e-39, -2e-20, 1e18, -1e18, 3e37}
		return h[r.IntN(len(h))]
	}
	return float32(int32(r.Uint32())) / (1 << 30)
}

// Bytes fills b with random bytes, or with extremes: for the sums over a block
// to reach their bounds all codes must.
func (d Data) Bytes(r *rand.Rand, b []byte) {
	extreme := func() byte { return []byte{0x00, 0xff, 0x80, 0x7f}[r.IntN(4)] }
	all := extreme()
	same := d >= Hostile && r.IntN(3) == 0
	for i := range b {
		switch {
		case same:
			b[i] = all
		case d >= Hostile && r.IntN(4) == 0:
			b[i] = extreme()
		default:
			b[i] = byte(r.Uint32())
		}
	}
}
