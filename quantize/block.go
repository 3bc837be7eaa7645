package quantize

import (
	"encoding/binary"
	"mptgo/quantize/internal/num"
	"mptgo/quantize/internal/search"

	"mptgo/gguf"
)

// What formats have in common: a row is block after block.

// decoder returns a Format.Decode that calls block for each block of t: b is one
// block, x the values it stands for.
func decoder(t gguf.Type, block func(x []float32, b []byte)) func(dst []float32, src []byte) {
	n, size := t.Block()
	return func(dst []float32, src []byte) {
		for len(dst) > 0 {
			block(dst[:n], src[:size])
			dst, src = dst[n:], src[size:]
		}
	}
}

// encoder returns a Format.Encode that calls plain for each block of t, or fit
// if importance weights are given and fit is not nil. The weights that fit gets
// are those of [search.Weigh].
func encoder(t gguf.Type, plain func(b []byte, x []float32), fit func(b []byte, x, w []float32)) func(dst []byte, src, weights []float32) {
	n, size := t.Block()
	return func(dst []byte, src, weights []float32) {
		if weights == nil || fit == nil {
			for len(src) > 0 {
				plain(dst[:size], src[:n])
				dst, src = dst[size:], src[n:]
			}
			return
		}
		mean := num.MeanSquare(src)
		w := make([]float32, n)
		for len(src) > 0 {
			search.Weigh(w, src[:n], weights[:n], mean)
			fit(dst[:size], src[:n], w)
			dst, src, weights = dst[size:], src[n:], weights[n:]
		}
	}
}

// blockEncoder returns a Format.Encode that calls block for each block of t with
// the importance of its values, or with nil.
func blockEncoder(t gguf.Type, block func(b []byte, x, importance []float32)) func(dst []byte, src, weights []float32) {
	n, size := t.Block()
	return func(dst []byte, src, weights []float32) {
		for len(src) > 0 {
			var importance []float32
			if weights != nil {
				importance, weights = weights[:n], weights[n:]
			}
			block(dst[:size], src[:n], importance)
			dst, src = dst[size:], src[n:]
		}
	}
}

// badHalves returns a Format.bad for blocks of t that hold binary16 scales at
// the given offsets and nothing else that can be infinite or NaN.
func badHalves(t gguf.Type, offsets ...int) func(src []byte) int {
	_, size := t.Block()
	return func(src []byte) int {
		for b := 0; b < len(src); b += size {
			for _, o := range offsets {
				if binary.LittleEndian.Uint16(src[b+o:])&0x7c00 == 0x7c00 {
					return b / size
				}
			}
		}
		return -1
	}
}

func blockValues(t gguf.Type) int {
	n, _ := t.Block()
	return n
}
