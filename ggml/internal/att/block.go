package att

import (
	"math"

	"mptgo/ggml/internal/act"
	"mptgo/ggml/internal/scalar"
	"mptgo/gguf"
)

// kvBlock is a block of a cache of Q8_0 or Q4_0 on its way into the cache.
type kvBlock struct {
	act   [1]act.Block
	wide  [1]act.WideBlock
	x     [cacheBlock]float32
	scale [2]byte
	codes [cacheBlock]byte // those of Q8_0 are signed
}

// encode sets the scale and the codes to src, the elements of a block or fewer of the
// last one.
func (b *kvBlock) encode(k *act.Kernels, typ gguf.Type, src []float32) {
	clear(b.x[copy(b.x[:], src):])
	if typ == gguf.Q4_0 {
		b.encode4()
		return
	}
	k.Quantize(b.act[:], b.wide[:], b.x[:])
	for i, q := range b.act[0].Q {
		b.codes[i] = byte(q)
	}
	b.putScale(b.act[0].D)
}

// encode4 makes a block of Q4_0. Codes reach one step further down than up, so the
// element of greatest magnitude gets code 0, whatever its sign.
func (b *kvBlock) encode4() {
	var most uint32 // magnitudes order like their bits
	var extreme float32
	for _, x := range b.x {
		if m := math.Float32bits(x) &^ (1 << 31); m > most {
			most, extreme = m, x
		}
	}
	scale := extreme / -8
	inverse := 1 / scale
	if most >= scalar.InfBits || math.IsInf(float64(inverse), 0) {
		inverse = 0
	}
	for i, x := range b.x {
		b.codes[i] = 8
		if inverse != 0 {
			b.codes[i] = byte(min(int32(float32(x*inverse)+8.5), 15))
		}
	}
	if most >= scalar.InfBits {
		scale = float32(math.NaN())
	}
	b.putScale(scale)
}

// putScale stores the scale. What binary16 has no number for must not become codes
// times infinity, which would be NaN or not as the code is 0 or not.
func (b *kvBlock) putScale(scale float32) {
	scalar.ToHalf(b.scale[:], scale)
	if math.IsInf(float64(scalar.FromHalf(b.scale[:])), 0) {
		scalar.ToHalf(b.scale[:], float32(math.NaN()))
	}
}

// storeKeyBlocks stores a key in one lane of a tile, see [KVPage].
func (k *Kernels) storeKeyBlocks(typ gguf.Type, tile []byte, lane int, src []float32, b *kvBlock) {
	for ; len(src) > 0; src = src[min(cacheBlock, len(src)):] {
		n := min(cacheBlock, len(src))
		b.encode(&k.act, typ, src[:n])
		copy(tile[2*lane:], b.scale[:])
		tile = tile[scaleBytes:]
		if typ == gguf.Q8_0 {
			for e, q := range b.codes[:n] {
				tile[e*KeyTile+lane] = q
			}
			tile = tile[n*KeyTile:]
			continue
		}
		for e := 0; e < n; e += 2 {
			tile[lane] = b.codes[e] | b.codes[e+1]<<4
			tile = tile[KeyTile:]
		}
	}
}

// storeValueBlocks stores a value, see [KVPage].
func (k *Kernels) storeValueBlocks(kv *KV, row []byte, src []float32, b *kvBlock) {
	typ, codes := kv.ValueType, kv.ValueStride()*cacheBits(kv.ValueType)/8
	scales := row[codes:]
	row = row[:codes]
	for ; len(src) > 0; src = src[min(cacheBlock, len(src)):] {
		b.encode(&k.act, typ, src[:min(cacheBlock, len(src))])
		scales = scales[copy(scales, b.scale[:]):]
		if typ == gguf.Q8_0 {
			row = row[copy(row, b.codes[:]):]
			continue
		}
		for i := 0; i < 16 && i < len(row); i++ {
			q := b.codes[i/8*16+i%8:]
			row[i] = q[0] | q[8]<<4
		}
		row = row[min(16, len(row)):]
	}
}
