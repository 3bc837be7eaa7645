package ggml

import (
	"fmt"
	"slices"

	"mptgo/ggml/internal/att"
	"mptgo/gguf"
)

// PageSize is the number of positions in a page of a cache.
const PageSize = att.PageSize

// CacheTypes returns the types that elements of a cache may have, the usual one first.
func CacheTypes() []gguf.Type { return slices.Clone(att.CacheTypes[:]) }

// KV is the cache of the keys and values of one layer of one sequence. It is a list of pages, whose
// memory is the caller's: position p lies in page p/PageSize. A page may be in several caches, of
// sequences that begin alike; one that a batch writes to must not be. [NewKV] makes a KV, and a copy of
// one without pages is another one. It serves one goroutine at a time.
type KV struct{ kv att.KV }

// KVPage is the memory of [PageSize] positions of a KV; [KV.PageIn] makes one. How keys and values lie
// in it is known to the kernels alone, and the same on every CPU.
type KVPage struct{ page att.KVPage }

// NewKV returns a cache without pages, of heads heads of dim elements whose types are two of
// [CacheTypes]. Other types, and sizes below 1, are errors.
func NewKV(keys, values gguf.Type, heads, dim int) (*KV, error) {
	for _, t := range []gguf.Type{keys, values} {
		if !slices.Contains(att.CacheTypes[:], t) {
			return nil, fmt.Errorf("ggml: a cache of %v: want one of %v", t, CacheTypes())
		}
	}
	if heads < 1 || dim < 1 {
		return nil, fmt.Errorf("ggml: a cache of %d heads of %d elements", heads, dim)
	}
	return &KV{att.KV{KeyType: keys, ValueType: values, Heads: heads, Dim: dim}}, nil
}

// Heads returns the number of heads of keys and values.
func (kv *KV) Heads() int { return kv.kv.Heads }

// Pages returns the number of pages.
func (kv *KV) Pages() int { return len(kv.kv.Pages) }

// PageBytes returns the memory that a page takes.
func (kv *KV) PageBytes() int { return kv.kv.PageBytes() }

// PageIn returns a page in mem, of [KV.PageBytes] bytes, whose content it is. It is not in the cache yet.
func (kv *KV) PageIn(mem []byte) KVPage { return KVPage{*kv.kv.PageIn(mem)} }

// Push appends a page, which must not be moved from then on.
func (kv *KV) Push(p *KVPage) { kv.kv.Pages = append(kv.kv.Pages, &p.page) }

// Replace puts p in the place of page i.
func (kv *KV) Replace(i int, p *KVPage) { kv.kv.Pages[i] = &p.page }

// Truncate leaves the first n pages.
func (kv *KV) Truncate(n int) {
	clear(kv.kv.Pages[n:])
	kv.kv.Pages = kv.kv.Pages[:n]
}

// Parts returns the memory of page p that holds the keys and the values of a head for the first used
// positions of the page. Keys are stored by whole tiles: what theirs hold of later positions is of no
// meaning ([KV.ClearKeys]).
func (kv *KV) Parts(p, head, used int) (keys, values []byte) {
	return kv.kv.Parts(kv.kv.Pages[p], head, used)
}

// ClearKeys sets the keys of a tile, the first result of [KV.Parts] or a copy of it, to zero from
// position used of the page on.
func (kv *KV) ClearKeys(tile []byte, used int) { kv.kv.ClearKeys(tile, used) }

// Move copies n positions from src to dst < src, as memmove does. Their pages must be there, and those
// of dst in no other cache.
func (kv *KV) Move(dst, src, n int) {
	for moved := 0; moved < n; {
		run := min(n-moved, PageSize-(dst+moved)%PageSize, PageSize-(src+moved)%PageSize)
		moveRun(&kv.kv, dst+moved, src+moved, run)
		moved += run
	}
}

// moveRun moves positions that lie within one page at both ends.
func moveRun(kv *att.KV, dst, src, n int) {
	to, from := kv.Pages[dst/PageSize], kv.Pages[src/PageSize]
	dst, src = dst%PageSize, src%PageSize
	for h := range kv.Heads {
		kv.MoveKeys(to, dst, from, src, h, n)
		row := kv.RowBytes()
		copy(to.V[(h*PageSize+dst)*row:][:n*row], from.V[(h*PageSize+src)*row:])
	}
}

// Bytes returns the memory that the page takes.
func (p *KVPage) Bytes() int { return len(p.page.K) + len(p.page.V) }

// Copy sets the page to what from holds, a page of the same kind of cache.
func (p *KVPage) Copy(from *KVPage) { p.page.Copy(&from.page) }
