package att

import (
	"encoding/binary"
	"fmt"
	"math"

	"mptgo/ggml/internal/scalar"
	"mptgo/ggml/internal/vec"
	"mptgo/gguf"
)

// Chunk is the number of key positions that attention treats as one before it
// merges them with what came before.
const Chunk = 512

// KeyTile is the number of positions whose keys lie interleaved, see [KVPage].
const KeyTile = 32

// PageSize is the number of positions in a page of the cache: one tile of keys for
// every head. A short sequence then takes little memory, and sequences share their
// common beginnings in small steps.
const PageSize = KeyTile

// KV is the cache of the keys and values of one layer. Position p lies in
// Pages[p/PageSize].
type KV struct {
	KeyType, ValueType gguf.Type // of the elements: F16, F32, Q8_0 or Q4_0
	Heads              int       // of keys and values; several query heads may share one
	Dim                int       // of a head
	Pages              []*KVPage
}

// KVPage holds [PageSize] positions of a layer, little-endian. In elements of F16 and
// F32, with d the dimension of a head and dv d rounded up to a multiple of 8:
//
//	K[(h*d + e)*32 + p]   element e of the key of head h at position p of the page
//	V[(h*32 + p)*dv + e]  the same of the value
//
// The keys of 32 positions are interleaved so that scores are computed side by
// side. Elements d to dv-1 of the values are 0.
//
// Elements of Q8_0 and Q4_0 are a code times the scale of their block; a block is 32
// neighbouring elements of one position, the last one of a head what is left, so a
// position has bytes of its own and may be moved. In bytes, a tile of keys is, for each
// block, the binary16 scales of the 32 positions, and then, of Q8_0, the signed codes of
// element e at [e%32][p%32], of Q4_0 those of two elements, the even one in the low half
// of the byte, at [e%32/2][p%32]. A value is its codes and then the scales of its blocks;
// of Q8_0, dv codes, of Q4_0, dv being a multiple of 16, byte 8i+j has code 16i+j in its
// low half and 16i+8+j in the other. A code of Q4_0 is 8 more than what it stands for.
type KVPage struct {
	K, V []byte
}

// NewPage returns a page of zeros. It panics if a type is none of a cache.
func (kv *KV) NewPage() *KVPage {
	return &KVPage{K: make([]byte, kv.keyBytes()), V: make([]byte, kv.valueBytes())}
}

// PageBytes returns the memory that a page of the cache takes.
func (kv *KV) PageBytes() int { return kv.keyBytes() + kv.valueBytes() }

func (kv *KV) keyBytes() int   { return kv.Heads * kv.tileBytes() }
func (kv *KV) valueBytes() int { return kv.Heads * PageSize * kv.RowBytes() }

// PageIn returns a page in mem, which holds [KV.PageBytes] bytes: keys, then values.
func (kv *KV) PageIn(mem []byte) *KVPage {
	k := kv.keyBytes()
	return &KVPage{K: mem[:k:k], V: mem[k : k+kv.valueBytes()]}
}

// Copy sets the page to what from holds, a page of the same kind.
func (p *KVPage) Copy(from *KVPage) {
	copy(p.K, from.K)
	copy(p.V, from.V)
}

// CacheTypes are the types that elements of a cache may have, the usual one first.
var CacheTypes = [...]gguf.Type{gguf.F16, gguf.F32, gguf.Q8_0, gguf.Q4_0}

// cacheBits returns the size of an element, of the block types that of a code.
func cacheBits(typ gguf.Type) int {
	switch typ {
	case gguf.Q4_0:
		return 4
	case gguf.Q8_0:
		return 8
	case gguf.F16:
		return 16
	case gguf.F32:
		return 32
	}
	panic(fmt.Sprintf("att: a cache of %v: the types are F16, F32, Q8_0 and Q4_0", typ))
}

// cacheBlocks returns how many blocks with a scale a head has: none of float types.
func cacheBlocks(typ gguf.Type, dim int) int {
	if !blocked(typ) {
		return 0
	}
	return (dim + cacheBlock - 1) / cacheBlock
}

// cacheBlock is the number of elements that share a scale.
const cacheBlock = 32

// blocked reports whether elements of a cache are codes with scales.
func blocked(typ gguf.Type) bool { return typ == gguf.Q8_0 || typ == gguf.Q4_0 }

// tileBytes returns the size of the keys of 32 positions of a head.
func (kv *KV) tileBytes() int {
	rows := kv.Dim
	if kv.KeyType == gguf.Q4_0 {
		rows = (rows + 1) &^ 1
	}
	return rows*KeyTile*cacheBits(kv.KeyType)/8 + cacheBlocks(kv.KeyType, kv.Dim)*scaleBytes
}

// scaleBytes is the size of the scales before a block of keys.
const scaleBytes = 2 * KeyTile

// RowBytes returns the distance between the values of neighbouring positions.
func (kv *KV) RowBytes() int {
	return kv.ValueStride()*cacheBits(kv.ValueType)/8 + 2*cacheBlocks(kv.ValueType, kv.Dim)
}

// MoveKeys copies the keys of a head at n positions of one page, from src on, to
// those of another page, from dst on.
func (kv *KV) MoveKeys(to *KVPage, dst int, from *KVPage, src, head, n int) {
	a, b := kv.keyTile(to, head), kv.keyTile(from, head)
	move := func(row, size int) {
		copy(a[dst*size:(dst+n)*size], b[src*size:])
		a, b = a[row:], b[row:]
	}
	row, size := kv.keyRow()
	for e := 0; e < kv.Dim; e += kv.keyStep() {
		if blocked(kv.KeyType) && e%cacheBlock == 0 {
			move(scaleBytes, 2)
		}
		move(row, size)
	}
}

// keyRow returns the size of a row of a tile of keys and of what it has of each position.
func (kv *KV) keyRow() (row, position int) {
	size := max(cacheBits(kv.KeyType)/8, 1)
	return KeyTile * size, size
}

// keyStep returns how many elements of a key a row of a tile holds.
func (kv *KV) keyStep() int {
	if kv.KeyType == gguf.Q4_0 {
		return 2
	}
	return 1
}

// Parts returns the memory that holds the keys and the values of a head for the first
// used positions of a page. Keys are stored by whole tiles: what theirs hold of later
// positions is of no meaning, see [KV.ClearKeys].
func (kv *KV) Parts(page *KVPage, head, used int) (keys, values []byte) {
	return kv.keyTile(page, head), kv.valuesFrom(page, head, 0)[:used*kv.RowBytes()]
}

// ClearKeys sets the keys of a tile, the first of [KV.Parts], to zero from position
// used of the page on.
func (kv *KV) ClearKeys(tile []byte, used int) {
	row, size := kv.keyRow()
	for e := 0; e < kv.Dim; e += kv.keyStep() {
		if blocked(kv.KeyType) && e%cacheBlock == 0 {
			clear(tile[2*used : scaleBytes])
			tile = tile[scaleBytes:]
		}
		clear(tile[used*size : row])
		tile = tile[row:]
	}
}

// ValueStride returns the number of elements of a value, some zeros at the end
// included.
func (kv *KV) ValueStride() int {
	if kv.ValueType == gguf.Q4_0 {
		return (kv.Dim + 15) &^ 15
	}
	return valueStride(kv.Dim)
}

func valueStride(dim int) int { return (dim + 7) &^ 7 }

// keyTile returns the keys of a head in a page.
func (kv *KV) keyTile(page *KVPage, head int) []byte {
	size := kv.tileBytes()
	return page.K[head*size:][:size]
}

// valuesFrom returns the values of a head from position p of a page on.
func (kv *KV) valuesFrom(page *KVPage, head, p int) []byte {
	row := kv.RowBytes()
	return page.V[(head*PageSize+p)*row : (head+1)*PageSize*row]
}

// readKey sets dst to the key of a head at position p of a page.
func (kv *KV) readKey(dst []float32, page *KVPage, head, p int) {
	tile, lane, typ := kv.keyTile(page, head), p, kv.KeyType
	if !blocked(typ) {
		for e := range dst {
			dst[e] = element(typ, tile, e*KeyTile+lane)
		}
		return
	}
	for ; len(dst) > 0; dst = dst[min(cacheBlock, len(dst)):] {
		scale, codes := scalar.FromHalf(tile[2*lane:]), tile[scaleBytes:]
		for e := range min(cacheBlock, len(dst)) {
			if typ == gguf.Q8_0 {
				dst[e] = scale * float32(int8(codes[e*KeyTile+lane]))
			} else {
				dst[e] = nibble(scale, codes[e/2*KeyTile+lane]>>(e%2*4))
			}
		}
		tile = tile[min(scaleBytes+cacheBlock*KeyTile*cacheBits(typ)/8, len(tile)):]
	}
}

// readValue sets dst to the value of a head at position p of a page.
func (kv *KV) readValue(dst []float32, page *KVPage, head, p int) {
	row, typ := kv.valuesFrom(page, head, p), kv.ValueType
	scales := row[kv.ValueStride()*cacheBits(typ)/8:]
	for e := range dst {
		switch typ {
		case gguf.Q8_0:
			dst[e] = scalar.FromHalf(scales[e/cacheBlock*2:]) * float32(int8(row[e]))
		case gguf.Q4_0:
			dst[e] = nibble(scalar.FromHalf(scales[e/cacheBlock*2:]), row[e/16*8+e%8]>>(e%16/8*4))
		default:
			dst[e] = element(typ, row, e)
		}
	}
}

// nibble returns what the low half of a code of Q4_0 stands for. The product with 8 and
// the sum are exact.
func nibble(scale float32, code byte) float32 {
	return scalar.FMA(scale, float32(code&15), float32(scale*-8))
}

// element returns element i of numbers of type F16 or F32.
func element(typ gguf.Type, b []byte, i int) float32 {
	if typ == gguf.F16 {
		return scalar.FromHalf(b[2*i:])
	}
	return math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
}

// StoreKV writes the keys and values of all heads, [Heads][Dim] each, to one
// position of the cache, whose page must exist: each as [Kernels.StoreHead] does.
func (att *Kernels) StoreKV(kv *KV, pos int, k, v []float32, s *Scratch) {
	vec.SameLength("StoreKV", len(k), kv.Heads*kv.Dim)
	vec.SameLength("StoreKV", len(v), kv.Heads*kv.Dim)
	for head := range kv.Heads {
		row := head * kv.Dim
		att.StoreHead(kv, head, pos, k[row:row+kv.Dim], v[row:row+kv.Dim], s)
	}
}

// StoreHead writes the key and the value of a head, [Dim] each. Into a cache of F16, numbers from
// 65520 on go as infinities. A block of Q8_0 is that of [act.Kernels.QuantizeRow], one of Q4_0
// has the scale e/-8, e being the first element of the greatest magnitude, and codes
// min(15, ⌊x·(1/scale)+8.5⌋); scales are rounded to binary16 after the codes were
// computed. A block whose numbers or scale are not finite has the scale NaN.
func (att *Kernels) StoreHead(kv *KV, head, pos int, k, v []float32, s *Scratch) {
	vec.SameLength("StoreHead", len(k), kv.Dim)
	vec.SameLength("StoreHead", len(v), kv.Dim)
	if pos < 0 || pos/PageSize >= len(kv.Pages) || head < 0 || head >= kv.Heads {
		panic(fmt.Sprintf("att: StoreHead: position %d of head %d in a cache of %d pages, %d heads", pos, head, len(kv.Pages), kv.Heads))
	}
	page, p := kv.Pages[pos/PageSize], pos%PageSize
	att.storeKey(kv.KeyType, kv.keyTile(page, head), p, k, &s.block)
	att.storeValue(kv, kv.valuesFrom(page, head, p)[:kv.RowBytes()], v, &s.block)
}

func (k *Kernels) storeKey(typ gguf.Type, tile []byte, lane int, src []float32, b *kvBlock) {
	switch typ {
	case gguf.F16:
		k.storeColumn(tile[lane*2:], src)
	case gguf.F32:
		putFloats(tile[lane*4:], KeyTile*4, src)
	default:
		k.storeKeyBlocks(typ, tile, lane, src, b)
	}
}

func (k *Kernels) storeValue(kv *KV, row []byte, src []float32, b *kvBlock) {
	switch kv.ValueType {
	case gguf.F16:
		k.vec.F32ToF16(row[:2*len(src)], src)
	case gguf.F32:
		putFloats(row, 4, src)
	default:
		k.storeValueBlocks(kv, row, src, b)
	}
}

// storeColumnGeneric stores src as binary16 numbers, one to each row of a tile
// of keys.
func storeColumnGeneric(dst []byte, src []float32) {
	for e, x := range src {
		scalar.ToHalf(dst[e*KeyTile*2:], x)
	}
}

// putFloats stores src with stride bytes from one element to the next.
func putFloats(dst []byte, stride int, src []float32) {
	for e, x := range src {
		binary.LittleEndian.PutUint32(dst[e*stride:], math.Float32bits(x))
	}
}
