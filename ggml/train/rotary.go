package train

import "mptgo/ggml"

// Rotate turns the first vectors of every row, which are stride columns apart, by the angles of its
// position: row p of turns holds the cosines and behind them the sines ([ggml.Rotary.Table]). Back turns
// them the other way, which is what a gradient needs.
func (e *Engine) Rotate(x Rows, examples []Example, turns Rows, vectors, stride int, back bool) {
	half := turns.Cols / 2
	e.perToken(x, examples, func(row []float32, p int) {
		cos, sin := turns.Row(p)[:half], turns.Row(p)[half:]
		for v := range vectors {
			a, b := row[v*stride:][:half], row[v*stride+half:][:half]
			if back {
				a, b = b, a
			}
			turn(a, b, cos, sin)
		}
	})
}

// turn sets (a, b) to (a·cos - b·sin, b·cos + a·sin), every product rounded.
func turn(a, b, cos, sin []float32) {
	for k, c := range cos {
		s, x, y := sin[k], a[k], b[k]
		a[k] = float32(x*c) - float32(y*s)
		b[k] = float32(y*c) + float32(x*s)
	}
}

// Temper multiplies the first cols columns by the factor of the position; it is its own way back.
func (e *Engine) Temper(x Rows, examples []Example, cols int, scale, floor float32) {
	e.perToken(x, examples, func(row []float32, p int) {
		e.vec().Scale(row[:cols], ggml.Temperature(scale, floor, p))
	})
}

// perToken calls f for every row of every example with its position.
func (e *Engine) perToken(x Rows, examples []Example, f func(row []float32, p int)) {
	at := make([]int, x.N)
	for _, s := range examples {
		for p := range s.N {
			at[s.From+p] = p
		}
	}
	e.perRows(x.N, func(i int, _ *worker) { f(x.Row(i), at[i]) })
}
