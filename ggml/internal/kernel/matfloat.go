package kernel

import (
	"encoding/binary"
	"math"

	"mptgo/gguf"
)

// floatTypes is indexed by gguf.Type: for the types without blocks the function
// that sets dst to the values in row.
var floatTypes = [...]func(dst []float32, row []byte){
	gguf.F32:  decodeF32,
	gguf.F16:  decodeF16,
	gguf.BF16: decodeBF16,
}

func decodeF32(dst []float32, row []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(row[4*i:]))
	}
}

func decodeF16(dst []float32, row []byte) {
	for i := range dst {
		dst[i] = float16(row[2*i:])
	}
}

func decodeBF16(dst []float32, row []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(row[2*i:])) << 16)
	}
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
	row := grow(&p.s.row, p.a.K)
	for r := p.r0; r < p.r1; r++ {
		p.decode(row, r)
		for i := range p.n {
			p.y[i*p.ldy+r] = dot(row, p.a.X[i*p.a.K:(i+1)*p.a.K])
		}
	}
}

// lanes are the running sums of a float dot product: see the package comment.
const lanes = 16

// dot returns the dot product of w and x, which are equally long.
func dot(w, x []float32) float32 {
	var sum [lanes]float32
	for ; len(w) >= lanes; w, x = w[lanes:], x[lanes:] {
		addLanes(&sum, (*[lanes]float32)(w), (*[lanes]float32)(x))
	}
	if len(w) > 0 {
		var lastW, lastX [lanes]float32
		copy(lastW[:], w)
		copy(lastX[:], x)
		addLanes(&sum, &lastW, &lastX)
	}
	return Fold(&sum)
}

func addLanes(sum, w, x *[lanes]float32) {
	for l := range sum {
		sum[l] = FMA(w[l], x[l], sum[l])
	}
}
