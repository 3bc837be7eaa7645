package ggml

// SumSquares makes all products of later runs add the squares of their inputs up,
// column by column in the order of the rows. Sums is asked before each product,
// with its matrix and how many rows of input there are, and returns the sums of
// the columns, or nil if nobody wants them. Nil ends it.
//
// Results do not depend on the number of workers or on how rows are spread over
// batches: a column belongs to one task.
func (e *Exec) SumSquares(sums func(w *Matrix, rows int) []float64) { e.sums = sums }

// squareColumns is how many columns a task adds up.
const squareColumns = 64

// sumSquares adds the squares of the input of a product.
func (e *Exec) sumSquares(o *matMul) error {
	sum := e.sums(o.w, e.n)
	if sum == nil {
		return nil
	}
	must(len(sum) == o.x.Cols, "%s: %d sums for %d columns", o.w.Name, len(sum), o.x.Cols)
	return e.pool.Run((len(sum)+squareColumns-1)/squareColumns, func(task, _ int) {
		from := task * squareColumns
		to := min(from+squareColumns, len(sum))
		for i := range e.n {
			for j, v := range o.x.row(i)[from:to] {
				sum[from+j] += float64(float64(v) * float64(v))
			}
		}
	})
}
