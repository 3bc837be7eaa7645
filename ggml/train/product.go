package train

import (
	"unsafe"

	"mptgo/ggml"
	"mptgo/ggml/internal/act"
	"mptgo/ggml/internal/mat"
	"mptgo/ggml/internal/scratch"
)

// productRows is how many rows of a matrix one task multiplies.
const productRows = 2 * mat.StripRows

// MatMul sets y to x·Wᵀ.
func (e *Engine) MatMul(y, x Rows, w *ggml.Matrix) { e.matMul(y, e.input(x, w), w) }

// MatMul2 does it for two matrices with the same input.
func (e *Engine) MatMul2(y0, y1, x Rows, w0, w1 *ggml.Matrix) {
	a := e.input(x, w0, w1)
	e.matMul(y0, a, w0)
	e.matMul(y1, a, w1)
}

func (e *Engine) matMul(y Rows, a *act.Acts, w *ggml.Matrix) {
	weights := weightsOf(w)
	e.run((w.Rows+productRows-1)/productRows, func(task int, s *worker) {
		r0 := task * productRows
		e.tier.Mat.MatMul(y.X, y.Cols, &weights, a, a.N, r0, min(r0+productRows, w.Rows), e.exact, &s.mat)
	})
}

// weightsOf returns a matrix as kernels take it.
func weightsOf(w *ggml.Matrix) mat.Weights {
	return mat.Weights{Type: w.Type, Rows: w.Rows, Cols: w.Cols, Data: w.Data}
}

// MatMulBack adds dY·W to dX, in the order that mat.Kernels.AddTransposed states.
func (e *Engine) MatMulBack(dx, dy Rows, w *ggml.Matrix) {
	cols, rows := backTask(w, dy.N, e.Workers())
	across := (w.Cols + cols - 1) / cols
	weights := weightsOf(w)
	e.run(across*((dy.N+rows-1)/rows), func(task int, s *worker) {
		c0, first := task%across*cols, task/across*rows
		e.tier.Mat.AddTransposed(dx.X[first*dx.Cols:], dx.Cols, &weights, dy.X[first*dy.Cols:], dy.Cols,
			min(rows, dy.N-first), c0, min(c0+cols, w.Cols), &s.mat)
	})
}

// backTask returns how many columns of a matrix and how many of n rows of gradients one task takes on the way
// back, so that there is work for all workers. More columns read the file, and the gradients, in longer
// pieces; more rows decode weights for more products. Large blocks are not cut as long as rows can be.
func backTask(w *ggml.Matrix, n, workers int) (cols, rows int) {
	const mostCols, leastCols, leastRows, each = 256, 64, 128, 4 // each worker gets so many tasks
	cols, rows = mostCols, max(n, 1)
	unit, _ := w.Type.Block()
	least := max(leastCols, min(unit, mostCols))
	for (w.Cols+cols-1)/cols*((n+rows-1)/rows) < each*workers {
		switch {
		case cols > least && (cols*4 > rows || rows < 2*leastRows):
			cols /= 2
		case rows >= 2*leastRows:
			rows = (rows + 1) / 2
		case cols > leastCols:
			cols /= 2
		default:
			return cols, rows
		}
	}
	return cols, rows
}

// aligned returns n bytes at the start of a cache line.
func aligned(buf *[]byte, n int) []byte {
	const line = 64
	mem := scratch.Grow(buf, n+line)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(mem))) % line
	return mem[skip:][:n]
}
