package convert

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"

	"mptgo/gguf"
	"mptgo/internal/half"
)

// Noise is the source of random weights. A weight is drawn by looking up 16 random
// bits in a table of the quantiles of its distribution, which is many times as fast
// as computing a deviate and has four weights of every 64 bits. The bits are those
// of a PCG for each row, seeded by the seed, the name of the tensor and the number
// of the row: nothing repeats, and rows can be drawn in any order.
type noise struct {
	seed     uint64
	norm     *quantiles // factors of layer norms
	weight   *quantiles // matrices
	residual *quantiles // matrices that write to the residual stream
}

func newNoise(seed uint64, layers int) *noise {
	const std = 0.02
	return &noise{
		seed:     seed,
		norm:     newQuantiles(1, 0.05),
		weight:   newQuantiles(0, std),
		residual: newQuantiles(0, std/math.Sqrt(2*float64(layers))),
	}
}

// source returns a tensor of random bfloat16 values.
func (n *noise) source(name string, rows, cols int, values *quantiles) source {
	h := fnv.New64a()
	h.Write(binary.LittleEndian.AppendUint64([]byte(name), n.seed))
	tensor, size := h.Sum64(), 2*cols
	return source{typ: gguf.BF16, rows: rows, rowBytes: size, read: func(dst []byte, r0, r1 int) error {
		for r := r0; r < r1; r++ {
			values.draw(dst[(r-r0)*size:][:size], tensor, uint64(r))
		}
		return nil
	}}
}

// Quantiles are the bfloat16 values at which a distribution reaches the
// probabilities (i+1/2)/2^16.
type quantiles [1 << 16]uint16

// newQuantiles returns those of a normal distribution. The greatest is 4.3 standard
// deviations above the mean.
func newQuantiles(mean, std float64) *quantiles {
	q := new(quantiles)
	for i := range q {
		z := math.Sqrt2 * math.Erfinv(float64(2*i+1-len(q))/float64(len(q)))
		q[i] = half.BF16(float32(mean + float64(std*z)))
	}
	return q
}

// draw fills a row with random values.
func (q *quantiles) draw(row []byte, tensor, number uint64) {
	const golden = 0x9E3779B97F4A7C15 // keeps the states of neighbouring rows apart
	pcg := rand.NewPCG(tensor, number*golden)
	for ; len(row) >= 8; row = row[8:] {
		u := pcg.Uint64()
		binary.LittleEndian.PutUint64(row, uint64(q[uint16(u)])|uint64(q[uint16(u>>16)])<<16|
			uint64(q[uint16(u>>32)])<<32|uint64(q[u>>48])<<48)
	}
	for u := pcg.Uint64(); len(row) > 0; row, u = row[2:], u>>16 {
		binary.LittleEndian.PutUint16(row, q[uint16(u)])
	}
}
