package quantize

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"mptgo/gguf"
	"mptgo/quantize/internal/vec"
)

// Feedback compensates each rounding error in the values after it (GPTQ).
//
// What counts is the error of the product of a row with its inputs. Inputs of
// different columns are correlated, so rounding one value up is compensated, in
// part, by rounding others down. With H the Gram matrix of the inputs, summed over
// a text, an error e of a row costs eᵀ·H·e. With H = R·Rᵀ, R an upper triangle, that
// is the sum of the squares of Rᵀ·e, of which component k depends on the errors up to
// that of column k: the best value for column k is what makes its component 0
// (E. Frantar et al., GPTQ, arXiv 2210.17323, which has this in another form). Here
// this is done within groups of columns, so that H stays small.
//
// Columns are taken block by block. What is best for all columns of a block is found
// first, then its codes and scales: see [descent].
type Feedback struct {
	cols, run, block int
	ld               int       // values from one row of factor to the next
	factor           []float32 // [cols][run]: R, the rows of each group
	own              []float32 // [cols][block]: of them the columns of each block alone
	cost             []float32 // [cols][block]: R·Rᵀ of the columns of each block alone
	inverse          []float32 // [cols]: 1/R[k][k]
	weights          []float32 // [cols]: R[k][k]²
	diagonal         []float32 // [cols]: of cost
	left             []float64 // [cols]: R[k][k]² on the scale of H
	wide             []float64 // [run][run]: of a group, while its factor is made
	group            []float32 // [cols]: the sum of cost over the columns of the same group of a grid
}

// Left returns what an error of 1 in each column costs at the least, when the columns after it make good
// what they can: on the scale of the products.
func (f *Feedback) Left() []float64 { return slices.Clone(f.left) }

// damping is added to the diagonal of H, as a share of its mean: columns that the
// text has hardly used must not be changed without bounds, and another text has other
// correlations. Measured on another text, the cost of errors is least from 0.1 to 0.3.
const damping = 0.2

// NewFeedback returns the feedback for rows of cols values of type t. Products holds the
// Gram matrices of groups of run neighbouring columns: for every column j, run sums, of the
// products of its input with that of column k of the same group; only those with k >= j are
// read. It must be finite. Groups consist of whole blocks of t.
func NewFeedback(t gguf.Type, products []float32, cols, run int) (*Feedback, error) {
	f := new(Feedback)
	return f, f.Set(t, products, cols, run, 1)
}

// Set makes f what [NewFeedback] returns, in the memory that f has, by several threads. What is
// encoded with f must have come to its end.
func (f *Feedback) Set(t gguf.Type, products []float32, cols, run, threads int) error {
	block := blockValues(t)
	switch {
	case block%together != 0:
		return fmt.Errorf("quantize: %v has no blocks in which errors could be compensated", t)
	case cols < 1 || run < 1 || run > cols || len(products) != cols*run:
		return fmt.Errorf("quantize: %d input correlations for %d columns in groups of %d",
			len(products), cols, run)
	case cols%block != 0 || run < cols && run%block != 0:
		return fmt.Errorf("quantize: input correlations in groups of %d of %d columns: %v has blocks of %d",
			run, cols, t, block)
	}
	f.cols, f.run, f.block, f.ld = cols, run, block, run+gap
	for x, n := range map[*[]float32]int{
		&f.factor: cols * f.ld, &f.own: cols * block, &f.cost: cols * block,
		&f.inverse: cols, &f.weights: cols, &f.diagonal: cols, &f.group: cols,
	} {
		*x = slices.Grow((*x)[:0], n)[:n]
	}
	f.left = slices.Grow(f.left[:0], cols)[:cols]
	f.wide = slices.Grow(f.wide[:0], run*run)[:run*run]
	for at := 0; at < cols; at += run {
		f.setFactor(products[at*run:], at, min(run, cols-at), threads)
	}
	inParallel(cols/block, threads, func(i int) {
		f.setBlock(i * block)
		f.sumGroups(i*block, formats[t].grid)
	})
	return nil
}

// gap keeps rows of a power of two of values from all falling on the same lines of a cache.
const gap = 16

// setFactor fills the rows of the group of n columns that begins with column at.
func (f *Feedback) setFactor(products []float32, at, n, threads int) {
	r := f.wide[:n*n]
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
	splitUpper(r, n, threads)
	for j := range n {
		row := f.factor[(at+j)*f.ld:][:f.ld]
		clear(row[:j])
		// Only ratios count; the mean keeps numbers from being too small or large.
		for k := j; k < n; k++ {
			row[k] = float32(r[j*n+k] / math.Sqrt(mean))
		}
		clear(row[n:])
		f.left[at+j] = float64(r[j*n+j] * r[j*n+j])
		f.inverse[at+j], f.weights[at+j] = 1/row[j], row[j]*row[j]
	}
}

// splitUpper replaces the upper triangle of H, n by n, by that of R with H = R·Rᵀ. It goes
// by groups of columns, the last ones first, so that a row is used for all of a group while
// it is in the nearest caches. Rows before those of the group have nothing to do with each other.
func splitUpper(h []float64, n, threads int) {
	const columns = 32
	for to := n; to > 0; to -= columns {
		from := max(to-columns, 0)
		least := make([]float64, to-from)
		for j := from; j < to; j++ {
			// H with its damping has no smaller eigenvalue; rounding may pretend one.
			least[j-from] = max(1e-12*h[j*n+j], math.SmallestNonzeroFloat32)
		}
		for i := from; i < to; i++ {
			reduce(h, n, i, i, to)
		}
		for j := to - 1; j >= from; j-- {
			row := h[j*n+j : j*n+to]
			row[0] = math.Sqrt(max(row[0]-vec.Dot(row[1:], row[1:]), least[j-from]))
			for i := from; i < j; i++ {
				solve(h, n, i, j, to)
			}
		}
		inParallel((from+columns-1)/columns, threads, func(task int) {
			for i := task * columns; i < min((task+1)*columns, from); i++ {
				reduce(h, n, i, from, to)
				for j := to - 1; j >= from; j-- {
					solve(h, n, i, j, to)
				}
			}
		})
	}
}

// reduce takes from the columns from to before to of row i what the columns after them make.
func reduce(h []float64, n, i, from, to int) {
	for j := from; j < to; j++ {
		h[i*n+j] -= vec.Dot(h[i*n+to:(i+1)*n], h[j*n+to:(j+1)*n])
	}
}

// solve sets column j of row i, which is before row j; those after it up to before to are set.
func solve(h []float64, n, i, j, to int) {
	h[i*n+j] = (h[i*n+j] - vec.Dot(h[i*n+j+1:i*n+to], h[j*n+j+1:j*n+to])) / h[j*n+j]
}

// inParallel calls do for all tasks, by so many goroutines.
func inParallel(tasks, threads int, do func(task int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(threads, tasks) - 1 {
		wg.Go(func() { take(&next, tasks, do) })
	}
	take(&next, tasks, do)
	wg.Wait()
}

// take calls do for tasks that nobody else has taken.
func take(next *atomic.Int64, tasks int, do func(task int)) {
	for i := int(next.Add(1)) - 1; i < tasks; i = int(next.Add(1)) - 1 {
		do(i)
	}
}

// setBlock fills what the block that begins with column at has of its own.
func (f *Feedback) setBlock(at int) {
	for j := range f.block {
		copy(f.own[(at+j)*f.block:][:f.block], f.factor[(at+j)*f.ld+at%f.run:])
	}
	for j := range f.block {
		for k := j; k < f.block; k++ {
			sum := float32(vec.DotWide(f.row(at, j)[k:], f.row(at, k)[k:]))
			f.cost[(at+j)*f.block+k], f.cost[(at+k)*f.block+j] = sum, sum
		}
	}
}

// sumGroups fills what the groups of a block have of their own.
func (f *Feedback) sumGroups(at int, g *grid) {
	for j := range f.block {
		cost := f.cost[(at+j)*f.block:][:f.block]
		f.diagonal[at+j] = cost[j]
		if g == nil {
			continue
		}
		sum := 0.
		for _, v := range cost[j/g.group*g.group:][:g.group] {
			sum += float64(v)
		}
		f.group[at+j] = float32(sum)
	}
}

// row returns row j of R for the block that begins with column at.
func (f *Feedback) row(at, j int) []float32 {
	return f.own[(at+j)*f.block:][:f.block]
}

// rowsTogether is how many rows are encoded at a time, so that what a block needs of R and
// its cost is read from the nearer caches for all of them. They go through a block in fours.
const rowsTogether = 8

// encode encodes rows, block by block. A search encodes a block by itself, with weights
// for its values; what it returns is improved if the type has a grid. No row has to do
// with the others.
func (f *Feedback) encode(format *Format, dst []byte, src []float32) {
	rows := len(src) / f.cols
	n, size := format.Type.Block()
	length := len(dst) / rows
	e, q := newErrors(f, rows), newQuad(f, format.grid)
	for at := 0; at < f.cols; at += n {
		if at%f.run == 0 {
			clear(e.owed)
		}
		for r := 0; r < rows; r += 4 {
			q.at, q.rows = at, min(4, rows-r)
			q.settle(src[r*f.cols+at:], f.cols, e.owedBy(r, at))
			b := dst[r*length+at/n*size:]
			q.encode(format, b, length)
			for k := range q.rows {
				format.Decode(q.values(k), b[k*length:][:size])
				e.set(r+k, src[(r+k)*f.cols+at:][:n], q.values(k))
			}
		}
		e.owe(at)
	}
}

// rowErrors are those of the rows that are encoded together, in fours.
type rowErrors struct {
	f    *Feedback
	owed []float32 // [rows][ld]: Rᵀ·e of the columns of the group that are done
	e    []float32 // [rows/4][block][4]: of a block
}

func newErrors(f *Feedback, rows int) *rowErrors {
	rows = (rows + 3) / 4 * 4
	return &rowErrors{f: f, owed: make([]float32, rows*f.ld), e: make([]float32, rows*f.block)}
}

// owedBy returns what row r and the three after it owe from the block at column at on, each row ld
// values after the one before.
func (e *rowErrors) owedBy(r, at int) []float32 { return e.owed[r*e.f.ld+at%e.f.run:] }

// set sets the errors of row r: what the block should be less what it is.
func (e *rowErrors) set(r int, x, values []float32) {
	to := e.e[r/4*4*e.f.block+r%4:]
	for j, v := range x {
		to[4*j] = v - values[j]
	}
}

// errorsTogether is how many columns' errors are added at a time.
const errorsTogether = 8

// owe adds the errors of the block at column at to what the group owes.
func (e *rowErrors) owe(at int) {
	f := e.f
	from := at%f.run + f.block
	n := min(f.run, f.cols-at+at%f.run) - from
	if n <= 0 {
		return
	}
	for j := 0; j < f.block; j += errorsTogether {
		r := f.factor[(at+j)*f.ld+from:]
		for row := 0; row*f.ld < len(e.owed); row += 4 {
			vec.AddProducts(e.owed[row*f.ld+from:], f.ld, n, e.e[row*f.block+4*j:][:4*errorsTogether], r, f.ld)
		}
	}
}
