//go:build !purego && (amd64 || arm64)

package att

import (
	"unsafe"

	"mptgo/ggml/internal/cpu"
)

// A lone query goes through keys and values at the speed of memory, so they are fetched
// as weights are, see [cpu.FetchAhead]: in the order keys of a chunk, its values, keys of
// the next chunk, and after the last one those of the next head, which is what this
// worker will most likely have to do with. A piece is what a page has of a head, its
// keys or its values. While one is read, another, so many pieces ahead, is fetched.

// piecesOf returns the pieces of chunk c from position first to before last, for a query at
// position at.
func (a *attention) piecesOf(c, at, first, last int) pieces {
	if a.plain != nil {
		return pieces{} // it is in the caches
	}
	p := pieces{tile: (c*Chunk + first) / PageSize, head: a.KV}
	p.n = (c*Chunk+last-1)/PageSize + 1 - p.tile
	p.ahead = (cpu.FetchAhead + a.kv.tileBytes() - 1) / a.kv.tileBytes()
	p.next = (c + 1) * Chunk / PageSize
	if (c+1)*Chunk > at {
		c = a.FirstChunk(at)
		first, _ := a.Sees(at, c)
		p.next, p.head = (c*Chunk+first)/PageSize, (a.KV+1)%a.kv.Heads
	}
	p.after = at/PageSize + 1 - p.next
	return p
}

// fetch returns the walk over a piece that goes with reading piece i, step bytes at a time.
func (a *attention) fetch(i, step int) cpu.Fetch {
	p := &a.near
	i += p.ahead
	switch {
	case p.n == 0:
	case i < p.n:
		return cpu.Fetch{At: bytesAt(a.kv.keyTile(a.kv.Pages[p.tile+i], a.KV)), Step: step}
	case i < 2*p.n:
		return cpu.Fetch{At: bytesAt(a.kv.valuesFrom(a.kv.Pages[p.tile+i-p.n], a.KV, 0)), Step: step}
	case i-2*p.n < p.after:
		return cpu.Fetch{At: bytesAt(a.kv.keyTile(a.kv.Pages[p.next+i-2*p.n], p.head)), Step: step}
	}
	return cpu.Fetch{At: uintptr(unsafe.Pointer(&a.s.query[0]))} // nothing: a line that is near, again and again
}

// fetchKeys returns the walk that goes with the tile of keys at position p of the chunk.
func (a *attention) fetchKeys(p int) cpu.Fetch {
	return a.fetch(p/PageSize-a.near.tile%(Chunk/PageSize), a.kv.tileBytes()/a.kv.Dim)
}

// fetchValues returns the walk that goes with the values from position p of the chunk on
// to the end of its page, a position at a time.
func (a *attention) fetchValues(p int) cpu.Fetch {
	f := a.fetch(a.near.n+p/PageSize-a.near.tile%(Chunk/PageSize), a.kv.RowBytes())
	f.Next(p % PageSize)
	return f
}

func bytesAt(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }
