package train

import (
	"mptgo/ggml"
	"mptgo/ggml/internal/scratch"
	"mptgo/quantize"
)

// Embed sets row i of x to row tokens[i] of w.
func (e *Engine) Embed(x Rows, w *ggml.Matrix, tokens []int32) {
	e.perRows(len(tokens), func(i int, _ *worker) { decodeRow(x.Row(i), w, int(tokens[i])) })
}

// AddPositions adds to every row of every example the row of w for its position.
func (e *Engine) AddPositions(x Rows, w *ggml.Matrix, examples []Example) {
	e.run(len(examples), func(task int, s *worker) {
		ex, row := examples[task], scratch.Grow(&s.a, w.Cols)
		for p := range ex.N {
			decodeRow(row, w, p)
			e.vec().Add(x.Row(ex.From+p), row)
		}
	})
}

// decodeRow sets x to row r of w.
func decodeRow(x []float32, w *ggml.Matrix, r int) {
	size := len(w.Data) / w.Rows
	if err := quantize.DecodeRow(w.Type, x, w.Data[r*size:(r+1)*size]); err != nil {
		panic(err) // the type was checked when the matrix was made
	}
}

// Gather sets row i of y to row rows[i] of x.
func (e *Engine) Gather(y, x Rows, rows []int) {
	e.perRows(len(rows), func(i int, _ *worker) { copy(y.Row(i), x.Row(rows[i])) })
}

// Scatter sets row rows[i] of y to row i of x. No row is named twice.
func (e *Engine) Scatter(y, x Rows, rows []int) {
	e.perRows(len(rows), func(i int, _ *worker) { copy(y.Row(rows[i]), x.Row(i)) })
}

// Copy sets columns [to, to+n) of y to those of x from column from on.
func (e *Engine) Copy(y Rows, to int, x Rows, from, n int) {
	e.perRows(x.N, func(i int, _ *worker) { copy(y.Row(i)[to:to+n], x.Row(i)[from:]) })
}

// Zero sets all values of x to zero.
func (e *Engine) Zero(x Rows) { e.perRows(x.N, func(i int, _ *worker) { clear(x.Row(i)) }) }
