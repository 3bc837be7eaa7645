package quantize

import (
	"fmt"
	"math"

	"mptgo/gguf"
	"mptgo/internal/codebook"
)

// FeedbackRun is how many neighbouring columns can make good each other's errors: as
// many as the largest blocks have values.
const FeedbackRun = 256

// Feedback says how an error that a value makes is made good by the values after it.
//
// What counts is the error of the product of a row with its inputs. Inputs of
// different columns go together, so a value that had to be rounded up is made
// good, in part, by rounding others down. With H the products of inputs, summed
// over a text, the best that the columns after j can do about an error e of column
// j is to change by -e·U[j][k]/U[j][j], where U is the upper triangle with UᵀU the
// inverse of H (E. Frantar et al., GPTQ, arXiv 2210.17323). Here this is done
// within runs of [FeedbackRun] columns: H stays small, whatever the model.
type Feedback struct {
	cols  int
	coeff []float32 // [cols][FeedbackRun]: U[j][k]/U[j][j], k counted in the run of j
}

// damping is added to the diagonal of H, as a share of its mean: columns that the
// text has hardly used must not be changed without bounds.
const damping = 0.01

// NewFeedback returns the feedback for rows of cols values. Products holds, of every
// column j, FeedbackRun sums: of the products of its input with that of column k of
// the same run; only those with k >= j are read. It must be finite.
func NewFeedback(products []float32, cols int) (*Feedback, error) {
	if cols < 1 || len(products) != cols*FeedbackRun {
		return nil, fmt.Errorf("quantize: %d products of inputs for %d columns: want %d for each", len(products), cols, FeedbackRun)
	}
	f := &Feedback{cols, make([]float32, len(products))}
	for at := 0; at < cols; at += FeedbackRun {
		n := min(FeedbackRun, cols-at)
		part := func(x []float32) []float32 { return x[at*FeedbackRun : (at+n)*FeedbackRun] }
		setCoefficients(part(f.coeff), part(products), n)
	}
	return f, nil
}

// setCoefficients fills the rows of one run of n columns.
func setCoefficients(coeff, products []float32, n int) {
	r := make([]float64, n*n)
	mean := 0.
	for j := range n {
		for k := j; k < n; k++ {
			r[j*n+k] = float64(products[j*FeedbackRun+k])
		}
		mean += r[j*n+j] / float64(n)
	}
	if !(mean > 0) {
		return
	}
	for j := range n {
		r[j*n+j] += float64(damping * mean)
	}
	splitUpper(r, n)
	// With H = R·Rᵀ, U is the inverse of R.
	u := make([]float64, n)
	for j := range n {
		invertRow(u, r, j, n)
		for k := j + 1; k < n; k++ {
			coeff[j*FeedbackRun+k] = float32(u[k] * r[j*n+j])
		}
	}
}

// splitUpper replaces the upper triangle of H, n by n, by that of R with H = R·Rᵀ.
func splitUpper(h []float64, n int) {
	for j := n - 1; j >= 0; j-- {
		row := h[j*n : (j+1)*n]
		d := row[j]
		for _, v := range row[j+1:] {
			d -= float64(v * v)
		}
		// H with its damping has no smaller eigenvalue; rounding may pretend one.
		d = math.Sqrt(max(d, 1e-12*row[j], math.SmallestNonzeroFloat32))
		row[j] = d
		for i := range j {
			s := h[i*n+j]
			for k := j + 1; k < n; k++ {
				s -= float64(h[i*n+k] * row[k])
			}
			h[i*n+j] = s / d
		}
	}
}

// invertRow sets u[j:] to row j of the inverse of the upper triangle r.
func invertRow(u, r []float64, j, n int) {
	clear(u)
	u[j] = 1
	for m := j; m < n; m++ {
		u[m] /= r[m*n+m]
		v := u[m]
		row := r[m*n : (m+1)*n]
		for k := m + 1; k < n; k++ {
			u[k] -= float64(v * row[k])
		}
	}
}

// carry hands the error of each value of a run on to the values after it. Nil does
// nothing: the codes are then those nearest to the values.
type carry struct {
	x     []float32 // the values of the run, changed as errors come
	coeff []float32 // of its columns
	at    int       // where the values at hand begin
}

// from returns the carry of values that begin i later.
func (c *carry) from(i int) *carry {
	if c == nil {
		return nil
	}
	return &carry{c.x, c.coeff, c.at + i}
}

// took says that value i of those at hand has become v.
func (c *carry) took(i int, v float32) {
	if c == nil {
		return
	}
	i += c.at
	e := c.x[i] - v
	row := c.coeff[i*FeedbackRun : i*FeedbackRun+len(c.x)]
	for k := i + 1; k < len(c.x); k++ {
		c.x[k] -= float32(e * row[k])
	}
}

// integerCodes sets codes to 0..2·top-1 for values d·(code-top).
func (c *carry) integerCodes(codes []uint8, x []float32, d float32, top int32) {
	id := inverse(d)
	for i := range codes {
		q := clamp(nearest(float32(x[i]*id)), -top, top-1)
		codes[i] = uint8(q + top)
		c.took(i, d*float32(q))
	}
}

// lineCodes sets codes to 0..top for values a·code + b.
func (c *carry) lineCodes(codes []uint8, x []float32, a, b float32, top int32) {
	inv := inverse(a)
	for i := range codes {
		q := lineCode(x[i], b, inv, top)
		codes[i] = uint8(q)
		c.took(i, float32(a*float32(q))+b)
	}
}

// tableCodes sets codes to the entries of [codebook.NonLinear] for values d·entry.
func (c *carry) tableCodes(codes []uint8, x []float32, d float32) {
	id := inverse(d)
	for i := range codes {
		codes[i] = nonLinearCode(float32(id * x[i]))
		c.took(i, d*float32(codebook.NonLinear[codes[i]]))
	}
}

// betterEncoder returns a Format.better that calls block for each block of t with the
// importance of its values, or nil, and with what carries their errors on.
func betterEncoder(t gguf.Type, block func(b []byte, x, importance []float32, c *carry)) func(dst []byte, src, weights []float32, f *Feedback) {
	n, size := t.Block()
	plain := blockEncoder(t, func(b []byte, x, importance []float32) { block(b, x, importance, nil) })
	return func(dst []byte, src, weights []float32, f *Feedback) {
		if f == nil {
			plain(dst, src, weights)
			return
		}
		var run [FeedbackRun]float32
		for at := 0; at < len(src); at += FeedbackRun {
			x := run[:copy(run[:], src[at:])]
			c := &carry{x: x, coeff: f.coeff[at*FeedbackRun:]}
			for i := 0; i < len(x); i += n {
				var importance []float32
				if weights != nil {
					importance = weights[at+i : at+i+n]
				}
				block(dst[:size], x[i:i+n], importance, c.from(i))
				dst = dst[size:]
			}
		}
	}
}
