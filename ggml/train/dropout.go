package train

import "math/bits"

// Dropout leaves out values of the inputs of changes. Which ones is a function of Seed and of where they
// are alone: of the number of the example in the run, the position, the module and the column.
type Dropout struct {
	Seed uint64
	Rate float32 // share of the values that are left out
}

// Drop sets y to x with values left out and the others divided by 1-Rate. numbers are those of the
// examples.
func (e *Engine) Drop(y, x Rows, examples []Example, numbers []uint32, module int, d Dropout) {
	e.drop(y, x, examples, numbers, module, d, false)
}

// AddDropped adds to y instead: the way back.
func (e *Engine) AddDropped(y, x Rows, examples []Example, numbers []uint32, module int, d Dropout) {
	e.drop(y, x, examples, numbers, module, d, true)
}

func (e *Engine) drop(y, x Rows, examples []Example, numbers []uint32, module int, d Dropout, add bool) {
	limit, factor := uint32(float64(d.Rate)*(1<<32)), 1/(1-d.Rate)
	e.run(len(examples), func(task int, _ *worker) {
		ex := examples[task]
		for p := range ex.N {
			dropRow(y.Row(ex.From+p), x.Row(ex.From+p), [3]uint32{numbers[task], uint32(p), uint32(module)}, d.Seed, limit, factor, add)
		}
	})
}

// dropRow does one row.
func dropRow(y, x []float32, place [3]uint32, seed uint64, limit uint32, factor float32, add bool) {
	var r [4]uint32
	for c, v := range x {
		if c%4 == 0 {
			r = philox([4]uint32{place[0], place[1], place[2], uint32(c / 4)}, seed)
		}
		v *= factor
		if r[c%4] < limit {
			v = 0
		}
		if add {
			v += y[c]
		}
		y[c] = v
	}
}

// philox is Philox-4x32 with ten rounds [Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3",
// 2011]: four random words for every counter.
func philox(c [4]uint32, key uint64) [4]uint32 {
	k0, k1 := uint32(key), uint32(key>>32)
	for range 10 {
		hi0, lo0 := bits.Mul32(0xd2511f53, c[0])
		hi1, lo1 := bits.Mul32(0xcd9e8d57, c[2])
		c = [4]uint32{hi1 ^ c[1] ^ k0, lo1, hi0 ^ c[3] ^ k1, lo0}
		k0 += 0x9e3779b9
		k1 += 0xbb67ae85
	}
	return c
}
