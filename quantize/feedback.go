package quantize

import (
	"fmt"
	"math"

	"mptgo/gguf"
)

// Feedback says how the error that a value makes is made good by the values after it.
//
// What counts is the error of the product of a row with its inputs. Inputs of
// different columns go together, so a value that had to be rounded up is made good,
// in part, by rounding others down. With H the products of inputs, summed over a
// text, an error e of a row costs eᵀ·H·e. With H = R·Rᵀ, R an upper triangle, that
// is the sum of the squares of Rᵀ·e, of which component k depends on the errors up to
// that of column k: the best value for column k is what makes its component 0
// (E. Frantar et al., GPTQ, arXiv 2210.17323, which has this in another form). Here
// this is done within runs of columns, so that H stays small.
//
// Columns are taken block by block. What is best for all columns of a block is found
// first, then its codes and scales: see [descent].
type Feedback struct {
	cols, run, block int
	factor           []float32 // [cols][run]: R, the rows of each run
	cost             []float32 // [cols][block]: R·Rᵀ of the columns of each block alone
	inverse          []float32 // [cols]: 1/R[k][k]
	weights          []float32 // [cols]: R[k][k]²
}

// damping is added to the diagonal of H, as a share of its mean: columns that the
// text has hardly used must not be changed without bounds, and another text has other
// products. Measured on another text, the cost of errors is least from 0.1 to 0.3.
const damping = 0.2

// NewFeedback returns the feedback for rows of cols values of type t. Products holds,
// of every column j, run sums: of the products of its input with that of column k of
// the same run; only those with k >= j are read. It must be finite. Runs of run
// columns follow each other; they consist of whole blocks of t.
func NewFeedback(t gguf.Type, products []float32, cols, run int) (*Feedback, error) {
	block := blockValues(t)
	switch {
	case block%4 != 0: // see owe
		return nil, fmt.Errorf("quantize: %v has no blocks in which values could make good each other's errors", t)
	case cols < 1 || run < 1 || run > cols || len(products) != cols*run:
		return nil, fmt.Errorf("quantize: %d products of inputs for %d columns in runs of %d", len(products), cols, run)
	case cols%block != 0 || run < cols && run%block != 0:
		return nil, fmt.Errorf("quantize: products of inputs within runs of %d of %d columns: %v has blocks of %d", run, cols, t, block)
	}
	f := &Feedback{
		cols: cols, run: run, block: block,
		factor: make([]float32, len(products)), cost: make([]float32, cols*block),
		inverse: make([]float32, cols), weights: make([]float32, cols),
	}
	for at := 0; at < cols; at += run {
		f.setFactor(products[at*run:], at, min(run, cols-at))
	}
	for at := 0; at < cols; at += block {
		f.setCost(at)
	}
	return f, nil
}

// setFactor fills the rows of the run of n columns that begins with column at.
func (f *Feedback) setFactor(products []float32, at, n int) {
	r := make([]float64, n*n)
	mean := 0.
	for j := range n {
		for k := j; k < n; k++ {
			r[j*n+k] = float64(products[j*f.run+k])
		}
		mean += r[j*n+j] / float64(n)
	}
	if !(mean > 0) {
		mean = 1 // no inputs, so no error counts: as good as any other
	}
	for j := range n {
		r[j*n+j] += float64(damping * mean)
	}
	splitUpper(r, n)
	for j := range n {
		// Only ratios count; the mean keeps numbers from being too small or large.
		for k := j; k < n; k++ {
			f.factor[(at+j)*f.run+k] = float32(r[j*n+k] / math.Sqrt(mean))
		}
		d := f.factor[(at+j)*f.run+j]
		f.inverse[at+j], f.weights[at+j] = 1/d, d*d
	}
}

// splitUpper replaces the upper triangle of H, n by n, by that of R with H = R·Rᵀ. It goes
// by groups of columns, the last ones first, so that a row is used for all of a group while
// it is in the nearest caches.
func splitUpper(h []float64, n int) {
	const columns = 32
	for to := n; to > 0; to -= columns {
		from := max(to-columns, 0)
		least := make([]float64, to-from)
		for j := from; j < to; j++ {
			// H with its damping has no smaller eigenvalue; rounding may pretend one.
			least[j-from] = max(1e-12*h[j*n+j], math.SmallestNonzeroFloat32)
		}
		for i := range to {
			for j := max(i, from); j < to; j++ {
				h[i*n+j] -= dot64(h[i*n+to:(i+1)*n], h[j*n+to:(j+1)*n])
			}
		}
		for j := to - 1; j >= from; j-- {
			row := h[j*n+j : j*n+to]
			row[0] = math.Sqrt(max(row[0]-dot64(row[1:], row[1:]), least[j-from]))
			for i := range j {
				h[i*n+j] = (h[i*n+j] - dot64(h[i*n+j+1:i*n+to], row[1:])) / row[0]
			}
		}
	}
}

// dot64 returns the product of two vectors, summed in four lanes.
func dot64(x, y []float64) float64 {
	var a, b, c, d float64
	y = y[:len(x)]
	i := 0
	for ; i+4 <= len(x); i += 4 {
		a += float64(x[i] * y[i])
		b += float64(x[i+1] * y[i+1])
		c += float64(x[i+2] * y[i+2])
		d += float64(x[i+3] * y[i+3])
	}
	for ; i < len(x); i++ {
		a += float64(x[i] * y[i])
	}
	return (a + b) + (c + d)
}

// setCost fills the rows of the block that begins with column at.
func (f *Feedback) setCost(at int) {
	for j := range f.block {
		for k := j; k < f.block; k++ {
			x, y := f.row(at, j)[k:], f.row(at, k)[k:]
			sum := 0.
			for l, v := range x {
				sum += float64(float64(v) * float64(y[l]))
			}
			f.cost[(at+j)*f.block+k], f.cost[(at+k)*f.block+j] = float32(sum), float32(sum)
		}
	}
}

// row returns row j of R for the block that begins with column at.
func (f *Feedback) row(at, j int) []float32 {
	return f.factor[(at+j)*f.run+at%f.run:][:f.block]
}

// encode encodes a row, block by block. Plain encodes a block by itself, with weights
// for its values; what it returns is improved if the type has a grid.
func (f *Feedback) encode(format *Format, dst []byte, src []float32) {
	n, size := format.Type.Block()
	owed := make([]float32, f.run) // Rᵀ·e of the columns that are done
	values := make([]float32, n)
	d := descent{f: f, grid: format.grid, z: make([]float32, n)}
	for at := 0; at < len(src); at += n {
		x, in := src[at:at+n], at%f.run
		if in == 0 {
			clear(owed)
		}
		f.settle(d.z, x, owed[in:in+n], at)
		d.block(format, dst[:size], at)
		format.Decode(values, dst[:size])
		f.owe(owed, x, values, at)
		dst = dst[size:]
	}
}

// settle sets z to the values that the block at column at had best have: those that
// make its components 0. It uses up owed.
func (f *Feedback) settle(z, x, owed []float32, at int) {
	for j := range z {
		e := float32(owed[j] * f.inverse[at+j])
		z[j] = x[j] + e
		for k, v := range f.row(at, j)[j+1:] {
			owed[j+1+k] -= float32(e * v)
		}
	}
}

// owe adds the errors of a block to what its run owes.
func (f *Feedback) owe(owed, x, values []float32, at int) {
	in := at % f.run
	rest := owed[min(in+f.block, f.run):min(f.run, f.cols-at+in)]
	if len(rest) == 0 {
		return
	}
	row := func(j int) []float32 { return f.factor[(at+j)*f.run+in+f.block:][:len(rest)] }
	for j := 0; j < len(x); j += 4 {
		e0, e1, e2, e3 := x[j]-values[j], x[j+1]-values[j+1], x[j+2]-values[j+2], x[j+3]-values[j+3]
		r0, r1, r2, r3 := row(j), row(j+1), row(j+2), row(j+3)
		for k := range rest {
			rest[k] += (float32(e0*r0[k]) + float32(e1*r1[k])) + (float32(e2*r2[k]) + float32(e3*r3[k]))
		}
	}
}
