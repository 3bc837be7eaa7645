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
	e.run((w.Rows+productRows-1)/productRows, func(task int, s *worker) {
		r0 := task * productRows
		e.tier.Mat.MatMul(y.X, y.Cols, &w.Weights, a, a.N, r0, min(r0+productRows, w.Rows), e.exact, &s.mat)
	})
}

// MatMulBack adds dY·W to dX, in the order that mat.Kernels.AddTransposed states.
func (e *Engine) MatMulBack(dx, dy Rows, w *ggml.Matrix) {
	cols := e.columns(w.Cols)
	e.run((w.Cols+cols-1)/cols, func(task int, s *worker) {
		c0 := task * cols
		e.tier.Mat.AddTransposed(dx.X, dx.Cols, &w.Weights, dy.X, dy.Cols, dy.N, c0, min(c0+cols, w.Cols), &s.mat)
	})
}

// columns returns how many columns of a matrix one task takes on the way back: more of them read
// the file in longer pieces, fewer leave work for all workers.
func (e *Engine) columns(all int) int {
	for cols := 256; cols > 64; cols /= 2 {
		if all/cols >= 4*e.Workers() {
			return cols
		}
	}
	return 64
}

// aligned returns n bytes at the start of a cache line.
func aligned(buf *[]byte, n int) []byte {
	const line = 64
	mem := scratch.Grow(buf, n+line)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(mem))) % line
	return mem[skip:][:n]
}
