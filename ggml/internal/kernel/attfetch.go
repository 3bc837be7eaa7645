//go:build !purego && (amd64 || arm64)

package kernel

import "unsafe"

// A lone query goes through keys and values at the speed of memory, so they are fetched
// as weights are, see [fetchAhead]: in the order keys of a chunk, its values, keys of
// the next chunk, and after the last one those of the next head, which is what this
// worker will most likely have to do with.

// fetchAfter returns a walk, step bytes at a time, through what lies fetchAhead behind
// the start of b: in b, of which used bytes are left, or in what comes next.
func fetchAfter(b []byte, step, used int, next []byte) fetch {
	if used <= fetchAhead {
		return fetch{bytesAt(next) + uintptr(fetchAhead-used), step}
	}
	return fetch{bytesAt(b) + fetchAhead, step}
}

func bytesAt(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// fetchValues returns the walk that goes with the values of a page from position from
// to before to, a position at a time.
func (a *attention) fetchValues(page *KVPage, from, to int) fetch {
	row := a.kv.RowBytes()
	return fetchAfter(a.kv.valuesFrom(page, a.KV, from), row, (to-from)*row, a.next)
}

// keysAfter returns the keys that come after the values of chunk c for queries from
// position at on.
func (a *attention) keysAfter(c, at int) []byte {
	if a.plain != nil {
		return nil // it is in the caches
	}
	if (c+1)*Chunk <= at {
		return a.kv.keyTile(a.kv.Pages[c+1], a.KV, 0)
	}
	c = a.FirstChunk(at)
	first, _ := a.Sees(at, c)
	return a.kv.keyTile(a.kv.Pages[c], (a.KV+1)%a.kv.Heads, first&^(KeyTile-1))
}
