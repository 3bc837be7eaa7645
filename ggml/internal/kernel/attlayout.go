package kernel

import "bytes"

// KeyTile is the number of positions whose keys lie interleaved; see [KVPage].
const KeyTile = keyTile

// KeyOffset returns where element e of the key of a head at position p of a
// page lies, in elements.
func (kv *KV) KeyOffset(head, e, p int) int {
	return ((head*(Chunk/keyTile)+p/keyTile)*kv.Dim+e)*keyTile + p%keyTile
}

// ValueOffset returns where the value of a head at position p of a page
// begins, in elements.
func (kv *KV) ValueOffset(head, p int) int { return (head*Chunk + p) * valueStride(kv.Dim) }

// ValueStride returns the distance between the values of neighbouring
// positions, in elements.
func (kv *KV) ValueStride() int { return valueStride(kv.Dim) }

// ElementBytes returns the size of an element.
func (kv *KV) ElementBytes() int { return elementBytes(kv.Type) }

// Clone returns a copy of the page.
func (p *KVPage) Clone() *KVPage {
	return &KVPage{K: bytes.Clone(p.K), V: bytes.Clone(p.V)}
}
