package ggml

import (
	"fmt"
	"math"
	"sort"
	"unsafe"

	"mptgo/ggml/internal/act"
	"mptgo/internal/slab"
)

// alignment of every tensor in the arena: a cache line.
const alignment = 64

// region is the place of one tensor in the arena and the operations, by number,
// during which it must hold.
type region struct {
	t           *Tensor
	first, last int
	offset      int
	size        int

	start, bytes int64 // offset and size, before it is known that an int can count them
}

// plan gives every tensor a place in one arena, and allocates it.
func (e *Exec) plan() error {
	blocks, size, err := e.layout()
	if err != nil {
		return err
	}
	if e.arena, err = slab.Alloc(size); err != nil {
		return fmt.Errorf("ggml: memory for activations: %w", err)
	}
	for _, b := range blocks {
		b.t.place(e.arena[b.offset:b.offset+b.size], e.rows(b.t).capacity)
	}
	e.regions = blocks
	return nil
}

// layout gives every tensor an offset, so that two tensors share memory only if one
// is dead before the other is computed, and returns the bytes that they need. It fails
// if these are more than an int counts, which has 32 bits on some machines.
func (e *Exec) layout() (blocks []*region, bytes int, err error) {
	var size int64
	blocks = e.lifetimes()
	var placed []*region // by offset
	for _, b := range blocks {
		b.start = firstGap(placed, b)
		size = max(size, b.start+b.bytes)
		placed = append(placed, b)
		sort.Slice(placed, func(i, j int) bool { return placed[i].start < placed[j].start })
	}
	if size > math.MaxInt-alignment {
		return nil, 0, fmt.Errorf("ggml: the activations of %d rows take %d bytes, more than can be addressed here: choose a smaller batch", e.all.capacity, size)
	}
	for _, b := range blocks {
		b.offset = int(b.start)
	}
	return blocks, int(size), nil
}

// lifetimes lists the tensors that need memory, the largest first: small ones
// then fill the gaps that large ones leave.
func (e *Exec) lifetimes() []*region {
	var blocks []*region
	of := map[*Tensor]*region{}
	for i, o := range e.ops {
		_, selects := o.(*selectRows)
		for _, in := range o.inputs() {
			if of[in].last = i; selects {
				of[in].last = len(e.ops) // rows are taken from it again and again
			}
		}
		t := o.out()
		bytes := t.bytes(e.rows(t).capacity)
		b := &region{t: t, first: i, last: i, size: int(bytes), bytes: bytes}
		of[t] = b
		blocks = append(blocks, b)
	}
	for _, b := range blocks {
		if b.t.keep {
			b.last = len(e.ops)
		}
	}
	sort.SliceStable(blocks, func(i, j int) bool { return blocks[i].bytes > blocks[j].bytes })
	return blocks
}

// firstGap returns the lowest offset at which b overlaps no placed block that
// lives at the same time. placed is sorted by offset.
func firstGap(placed []*region, b *region) int64 {
	offset := int64(0)
	for _, p := range placed {
		if p.last < b.first || b.last < p.first {
			continue
		}
		if offset+b.bytes <= p.start {
			break
		}
		offset = max(offset, p.start+p.bytes)
	}
	return offset
}

// bytes returns the memory that t needs for a batch of n rows.
func (t *Tensor) bytes(n int) int64 {
	rows, cols := int64(n), int64(t.Cols)
	size := align(4 * rows * cols)
	if t.quantise {
		size += rows*int64(act.BlocksBytes(1, t.Cols)) + int64(act.TilesBytes(n, t.Cols))
	}
	size = align(size)
	if most := 8 * rows * (cols + alignment); t.sort && most > math.MaxInt {
		size += most // too much in any case
	} else if t.sort {
		size += int64(act.LanesBytes(n, t.Cols))
	}
	return align(size)
}

// place lays t out in mem for a batch of n rows.
func (t *Tensor) place(mem []byte, n int) {
	t.x = unsafe.Slice((*float32)(unsafe.Pointer(&mem[0])), n*t.Cols)
	t.acts = act.Acts{N: n, K: t.Cols, X: t.x}
	mem = mem[align(4*n*t.Cols):]
	if t.quantise {
		t.acts.Place(mem)
		mem = mem[align(act.BlocksBytes(n, t.Cols)):]
	}
	if t.sort {
		t.acts.PlaceLanes(mem)
	}
}

func align[T int | int64](n T) T { return (n + alignment - 1) &^ (alignment - 1) }
