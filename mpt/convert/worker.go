package convert

import (
	"encoding/binary"
	"math"

	"mptgo/gguf"
	"mptgo/quantize"
)

// A worker is the memory that converting a piece takes. It is used again for the
// next one.
type worker struct {
	src, wide, dst []byte
	values         []float32
	encoder        quantize.Encoder
	spare          *spares
	threads        int   // of all workers
	underflows     int64 // of the last piece
}

// convert reads a piece and returns it as rows of the type of out. The result is
// valid until the next call.
func (k *worker) convert(t task, out *output) ([]byte, error) {
	info := &out.info
	k.underflows = 0
	typ, src := t.part.src.typ, grow(&k.src, t.rows*t.part.src.rowBytes)
	if err := t.part.src.read(src, t.first, t.first+t.rows); err != nil {
		return nil, err
	}
	if typ == gguf.F64 {
		typ, src = gguf.F32, k.narrow(src)
	}
	if t.part.factor != 1 {
		scaled, err := k.scale(src, typ, t.part.factor)
		if err != nil {
			return nil, err
		}
		typ, src = gguf.F32, scaled
	}
	if typ == info.Type {
		return src, checkCopy(typ, src)
	}
	dst := grow(&k.dst, t.rows*int(out.rowBytes()))
	made, weights, err := out.feedback.get(k.spare, k.threads)
	if err != nil {
		return nil, err
	}
	defer out.feedback.used(t.rows, k.spare)
	k.encoder.Feedback, k.encoder.Weights = made, out.weights
	if out.weights == nil {
		k.encoder.Weights = weights
	}
	if err := k.encoder.Convert(dst, info.Type, src, typ, out.row); err != nil {
		return nil, err
	}
	if info.Type == gguf.F16 {
		k.underflows = underflows(dst, src, typ)
	}
	return dst, nil
}

// checkCopy checks values that are not converted, and so not looked at otherwise.
// Types that quantize does not know are copied on trust.
func checkCopy(typ gguf.Type, b []byte) error {
	if _, ok := quantize.Lookup(typ); !ok {
		return nil
	}
	return quantize.CheckFinite(typ, b)
}

// narrow rounds float64 to float32.
func (k *worker) narrow(src []byte) []byte {
	wide := grow(&k.wide, len(src)/2)
	for i := 0; i < len(wide); i += 4 {
		x := math.Float64frombits(binary.LittleEndian.Uint64(src[2*i:]))
		binary.LittleEndian.PutUint32(wide[i:], math.Float32bits(float32(x)))
	}
	return wide
}

// scale returns the values times factor as float32. The result may take the place
// of what narrow returned.
func (k *worker) scale(src []byte, typ gguf.Type, factor float32) ([]byte, error) {
	values, bytes := typ.Block()
	n := len(src) / bytes * values
	if cap(k.values) < n {
		k.values = make([]float32, n)
	}
	v := k.values[:n]
	if err := quantize.DecodeRow(typ, v, src); err != nil {
		return nil, err
	}
	for i := range v {
		v[i] *= factor
	}
	wide := grow(&k.wide, 4*n)
	return wide, quantize.EncodeRows(gguf.F32, wide, v, n, nil)
}

// underflows counts the values of src, of type typ, that are not 0 but are in dst,
// where they are F16.
func underflows(dst, src []byte, typ gguf.Type) (n int64) {
	switch typ {
	case gguf.BF16:
		for i := 0; i+2 <= len(dst); i += 2 {
			if binary.LittleEndian.Uint16(dst[i:])&0x7fff == 0 && binary.LittleEndian.Uint16(src[i:])&0x7fff != 0 {
				n++
			}
		}
	case gguf.F32:
		for i := 0; i+2 <= len(dst); i += 2 {
			if binary.LittleEndian.Uint16(dst[i:])&0x7fff == 0 && binary.LittleEndian.Uint32(src[2*i:])&0x7fffffff != 0 {
				n++
			}
		}
	}
	return n
}

// grow returns the first n bytes of a buffer, which it replaces if that is too
// small.
func grow(b *[]byte, n int) []byte {
	if cap(*b) < n {
		*b = make([]byte, n)
	}
	return (*b)[:n]
}
