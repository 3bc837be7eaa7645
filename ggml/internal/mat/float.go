package mat

import (
	"mptgo/ggml/internal/scalar"
	"mptgo/ggml/internal/scratch"
	"mptgo/gguf"
)

// floatTypes is indexed by gguf.Type: for the types without blocks the function
// that sets dst to the values in row.
var floatTypes = [...]func(dst []float32, row []byte){
	gguf.F32:  scalar.DecodeF32,
	gguf.F16:  scalar.DecodeF16,
	gguf.BF16: scalar.DecodeBF16,
}

// decode sets dst to row r of the weights.
func (p *product) decode(dst []float32, r int) {
	if isFloat(p.w.Type) {
		floatTypes[p.w.Type](dst, p.rowData(r))
	} else {
		blockTypes[p.w.Type].decode(dst, p.rowData(r), &p.s.unpacked)
	}
}

// dotGeneric defines the product with float weights, and with all weights in
// exact mode.
func (p *product) dotGeneric() {
	row := scratch.Grow(&p.s.row, p.a.K)
	for r := p.r0; r < p.r1; r++ {
		p.decode(row, r)
		for i := range p.n {
			p.y[i*p.ldy+r] = dot(row, p.a.X[i*p.a.K:(i+1)*p.a.K])
		}
	}
}

// dot returns the dot product of w and x, which are equally long.
func dot(w, x []float32) float32 {
	var sum [scalar.Lanes]float32
	for ; len(w) >= scalar.Lanes; w, x = w[scalar.Lanes:], x[scalar.Lanes:] {
		addLanes(&sum, (*[scalar.Lanes]float32)(w), (*[scalar.Lanes]float32)(x))
	}
	if len(w) > 0 {
		var lastW, lastX [scalar.Lanes]float32
		copy(lastW[:], w)
		copy(lastX[:], x)
		addLanes(&sum, &lastW, &lastX)
	}
	return scalar.Fold(&sum)
}

func addLanes(sum, w, x *[scalar.Lanes]float32) {
	for l := range sum {
		sum[l] = scalar.FMA(w[l], x[l], sum[l])
	}
}
