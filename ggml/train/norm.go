package train

import (
	"math"

	"mptgo/ggml"
	"mptgo/ggml/internal/scratch"
	"mptgo/ggml/internal/vec"
)

// Norm sets y to the rows of x, normalised.
func (e *Engine) Norm(y, x Rows, m *ggml.Norm) {
	e.perRows(x.N, func(i int, _ *worker) { normalise(e.vec(), y.Row(i), x.Row(i), m) })
}

// normalise sets y to x normalised by m. y may be x.
func normalise(k *vec.Kernels, y, x []float32, m *ggml.Norm) {
	if m.RMS {
		k.RMSNorm(y, x, m.Weight, m.Eps)
	} else {
		k.LayerNorm(y, x, m.Weight, m.Bias, m.Eps)
	}
}

// NormBack adds to dX what comes back from dY through the norm of x.
func (e *Engine) NormBack(dx, dy, x Rows, m *ggml.Norm) {
	e.perRows(x.N, func(i int, s *worker) {
		d := scratch.Grow(&s.a, x.Cols)
		normBack(d, dy.Row(i), x.Row(i), m)
		e.vec().Add(dx.Row(i), d)
	})
}

// NormParts normalises the vectors of the given parts of every row in place.
func (e *Engine) NormParts(x Rows, parts []ggml.Part) {
	e.perRows(x.N, func(i int, _ *worker) {
		eachPart(parts, func(c, size int, m *ggml.Norm) {
			v := x.Row(i)[c : c+size]
			normalise(e.vec(), v, v, m)
		})
	})
}

// NormPartsBack replaces, in the columns of the parts, dY by dX; x are the vectors before.
func (e *Engine) NormPartsBack(d, x Rows, parts []ggml.Part) {
	e.perRows(x.N, func(i int, s *worker) {
		eachPart(parts, func(c, size int, m *ggml.Norm) {
			out := scratch.Grow(&s.a, size)
			normBack(out, d.Row(i)[c:c+size], x.Row(i)[c:c+size], m)
			copy(d.Row(i)[c:], out)
		})
	})
}

// eachPart calls f for every vector of the parts.
func eachPart(parts []ggml.Part, f func(c, size int, m *ggml.Norm)) {
	for k := range parts {
		p := &parts[k]
		for c, size := p.From, len(p.Weight); c < p.From+p.Count*size; c += size {
			f(c, size, &p.Norm)
		}
	}
}

// normBack sets dx to what comes back from dy through y = n·w + b, n = (x-mean)·r: with g = dy·w,
//
//	dx = r·(g - mean(g) - n·mean(g·n))
//
// and for RMS the same without both means of x and g. Sums are float64, see [sum].
func normBack(dx, dy, x []float32, m *ggml.Norm) {
	size := float64(len(x))
	mean := 0.0
	if !m.RMS {
		mean = sum(len(x), func(i int) float64 { return float64(x[i]) }) / size
	}
	squares := sum(len(x), func(i int) float64 { d := float64(x[i]) - mean; return float64(d * d) })
	r := 1 / math.Sqrt(squares/size+float64(m.Eps))
	g := func(i int) float64 { return float64(dy[i]) * float64(m.Weight[i]) }
	n := func(i int) float64 { return (float64(x[i]) - mean) * r }
	meanG := 0.0
	if !m.RMS {
		meanG = sum(len(x), g) / size
	}
	meanGN := sum(len(x), func(i int) float64 { return float64(g(i) * n(i)) }) / size
	for i := range dx {
		dx[i] = float32(r * (g(i) - meanG - float64(n(i)*meanGN)))
	}
}

// sum returns the sum of f(i) for i in [0, n): four sums, of every fourth i, which are added in order.
func sum(n int, f func(i int) float64) float64 {
	var s [4]float64
	for i := range n {
		s[i%4] += f(i)
	}
	return s[0] + s[1] + s[2] + s[3]
}
