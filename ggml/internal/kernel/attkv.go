package kernel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"mptgo/gguf"
)

// Chunk is the number of key positions in a page of the cache, and of those
// that attention treats as one before it merges them with what came before.
const Chunk = 512

// KeyTile is the number of positions whose keys lie interleaved, see [KVPage].
const KeyTile = 32

// KV is the cache of the keys and values of one layer. Position p lies in
// Pages[p/Chunk].
type KV struct {
	Type  gguf.Type // of the elements, F16 or F32
	Heads int       // of keys and values; several query heads may share one
	Dim   int       // of a head
	Pages []*KVPage
}

// KVPage holds [Chunk] positions of a layer, little-endian. In elements, with d
// the dimension of a head and dv d rounded up to a multiple of 8:
//
//	K[((h*16 + p/32)*d + e)*32 + p%32]  element e of the key of head h at position p
//	V[(h*512 + p)*dv + e]               the same of the value
//
// The keys of 32 positions are interleaved so that scores are computed side by
// side. Elements d to dv-1 of the values are 0.
type KVPage struct {
	K, V []byte
}

// NewKVPage returns a page of zeros. It panics if typ is not F16 or F32.
func NewKVPage(typ gguf.Type, heads, dim int) *KVPage {
	k, v := pageBytes(typ, heads, dim)
	return &KVPage{K: make([]byte, k), V: make([]byte, v)}
}

// PageBytes returns the memory that a page of the cache takes.
func (kv *KV) PageBytes() int {
	k, v := pageBytes(kv.Type, kv.Heads, kv.Dim)
	return k + v
}

func pageBytes(typ gguf.Type, heads, dim int) (k, v int) {
	size := elementBytes(typ)
	return heads * Chunk * dim * size, heads * Chunk * valueStride(dim) * size
}

// Clone returns a copy of the page.
func (p *KVPage) Clone() *KVPage {
	return &KVPage{K: bytes.Clone(p.K), V: bytes.Clone(p.V)}
}

// ElementBytes returns the size of an element.
func (kv *KV) ElementBytes() int { return elementBytes(kv.Type) }

func elementBytes(typ gguf.Type) int {
	switch typ {
	case gguf.F16:
		return 2
	case gguf.F32:
		return 4
	}
	panic(fmt.Sprintf("kernel: a cache of %v: the types are F16 and F32", typ))
}

// KeyOffset returns where element e of the key of a head at position p of a
// page lies, in elements.
func (kv *KV) KeyOffset(head, e, p int) int {
	return ((head*(Chunk/KeyTile)+p/KeyTile)*kv.Dim+e)*KeyTile + p%KeyTile
}

// ValueOffset returns where the value of a head at position p of a page
// begins, in elements.
func (kv *KV) ValueOffset(head, p int) int { return (head*Chunk + p) * valueStride(kv.Dim) }

// ValueStride returns the distance between the values of neighbouring
// positions, in elements.
func (kv *KV) ValueStride() int { return valueStride(kv.Dim) }

func valueStride(dim int) int { return (dim + 7) &^ 7 }

// keyTile returns the keys of a head in the tile of 32 positions that begins at
// position p of a page.
func (kv *KV) keyTile(page *KVPage, head, p int) []byte {
	size := kv.ElementBytes()
	return page.K[kv.KeyOffset(head, 0, p)*size:][:kv.Dim*KeyTile*size]
}

// valuesFrom returns the values of a head from position p of a page on.
func (kv *KV) valuesFrom(page *KVPage, head, p int) []byte {
	size := kv.ElementBytes()
	return page.V[kv.ValueOffset(head, p)*size : kv.ValueOffset(head+1, 0)*size]
}

// StoreKV writes the keys and values of all heads, [Heads][Dim] each, to one
// position of the cache, whose page must exist. Into a cache of F16, numbers from
// 65520 on go as infinities.
func (t *Tier) StoreKV(kv *KV, pos int, k, v []float32) {
	same("StoreKV", len(k), kv.Heads*kv.Dim)
	same("StoreKV", len(v), kv.Heads*kv.Dim)
	if pos < 0 || pos/Chunk >= len(kv.Pages) {
		panic(fmt.Sprintf("kernel: StoreKV: position %d in a cache of %d pages", pos, len(kv.Pages)))
	}
	page, p := kv.Pages[pos/Chunk], pos%Chunk
	size := kv.ElementBytes()
	for head := range kv.Heads {
		row := head * kv.Dim
		column := page.K[kv.KeyOffset(head, 0, p)*size:]
		values := kv.valuesFrom(page, head, p)[:kv.Dim*size]
		if kv.Type == gguf.F16 {
			t.att.storeColumn(column, k[row:row+kv.Dim])
			t.vec.f32ToF16(values, v[row:row+kv.Dim])
		} else {
			putFloats(column, KeyTile*4, k[row:row+kv.Dim])
			putFloats(values, 4, v[row:row+kv.Dim])
		}
	}
}

// storeColumnGeneric stores src as binary16 numbers, one to each row of a tile
// of keys.
func storeColumnGeneric(dst []byte, src []float32) {
	for e, x := range src {
		putFloat16(dst[e*KeyTile*2:], x)
	}
}

// putFloats stores src with stride bytes from one element to the next.
func putFloats(dst []byte, stride int, src []float32) {
	for e, x := range src {
		binary.LittleEndian.PutUint32(dst[e*stride:], math.Float32bits(x))
	}
}
