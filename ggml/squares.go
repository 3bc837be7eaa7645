package ggml

// Sums are what [Exec.SumInputs] adds the inputs of a product to.
type Sums struct {
	Squares []float64 // of each column
	// Products is nil, or holds Run sums for each column: of the products of
	// its input with those of the columns from itself to the end of its run,
	// where runs of Run columns follow each other.
	Products []float32
	Run      int
}

// SumInputs makes all products of later runs add up the squares of their inputs, and
// perhaps the products of neighbouring columns, in the order of the rows. Sums is
// asked before each product, with its matrix and how many rows of input there are;
// without squares nothing is added. Nil ends it.
//
// Results do not depend on the number of workers or on how rows are spread over
// batches: a column belongs to one task.
func (e *Exec) SumInputs(sums func(w *Matrix, rows int) Sums) { e.sums = sums }

// How many columns a task adds up.
const (
	squareColumns  = 64
	productColumns = 4
)

// sumInputs adds the input of a product.
func (e *Exec) sumInputs(o *matMul) error {
	s := e.sums(o.w, e.n)
	if s.Squares == nil {
		return nil
	}
	cols := o.x.Cols
	must(len(s.Squares) == cols, "%s: %d sums for %d columns", o.w.Name, len(s.Squares), cols)
	err := e.pool.Run((cols+squareColumns-1)/squareColumns, func(task, _ int) {
		e.sumSquares(o.x, s.Squares, task*squareColumns)
	})
	if err != nil || s.Products == nil {
		return err
	}
	must(len(s.Products) == cols*s.Run, "%s: %d sums of products for %d columns", o.w.Name, len(s.Products), cols)
	return e.pool.Run((cols+productColumns-1)/productColumns, func(task, _ int) {
		for j := task * productColumns; j < min((task+1)*productColumns, cols); j++ {
			e.sumProducts(o.x, s, j)
		}
	})
}

// sumSquares adds the squares of some columns from the given one on.
func (e *Exec) sumSquares(x *Tensor, sum []float64, from int) {
	to := min(from+squareColumns, len(sum))
	for i := range e.n {
		for j, v := range x.row(i)[from:to] {
			sum[from+j] += float64(float64(v) * float64(v))
		}
	}
}

// sumProducts adds the products of column j with the rest of its run.
func (e *Exec) sumProducts(x *Tensor, s Sums, j int) {
	at := j / s.Run * s.Run
	end := min(at+s.Run, x.Cols)
	sum := s.Products[j*s.Run+j-at:][:end-j]
	for i := range e.n {
		row := x.row(i)[j:end]
		v := row[0]
		for k, w := range row {
			sum[k] += float32(v * w)
		}
	}
}
