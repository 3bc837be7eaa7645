package ggml

import (
	"fmt"
	"sort"
	"unsafe"

	"mptgo/ggml/internal/kernel"
	"mptgo/internal/slab"
)

// alignment of every tensor in the arena: a cache line.
const alignment = 64

// block is the place of one tensor in the arena and the operations, by number,
// during which it must hold.
type block struct {
	t           *Tensor
	first, last int
	offset      int
	size        int
}

// plan gives every tensor a place in one arena, and allocates it.
func (e *Exec) plan() (err error) {
	blocks, size := e.layout()
	if e.arena, err = slab.Alloc(size); err != nil {
		return fmt.Errorf("ggml: memory for activations: %w", err)
	}
	for _, b := range blocks {
		b.t.place(e.arena[b.offset:b.offset+b.size], e.rows(b.t).capacity)
	}
	return nil
}

// layout gives every tensor an offset, so that two tensors share memory only if one
// is dead before the other is computed, and returns the bytes that they need.
func (e *Exec) layout() (blocks []*block, size int) {
	blocks = e.lifetimes()
	var placed []*block // by offset
	for _, b := range blocks {
		b.offset = firstGap(placed, b)
		size = max(size, b.offset+b.size)
		placed = append(placed, b)
		sort.Slice(placed, func(i, j int) bool { return placed[i].offset < placed[j].offset })
	}
	return blocks, size
}

// lifetimes lists the tensors that need memory, the largest first: small ones
// then fill the gaps that large ones leave.
func (e *Exec) lifetimes() []*block {
	var blocks []*block
	of := map[*Tensor]*block{}
	for i, o := range e.ops {
		_, selects := o.(*selectRows)
		for _, in := range o.inputs() {
			if of[in].last = i; selects {
				of[in].last = len(e.ops) // rows are taken from it again and again
			}
		}
		t := o.out()
		b := &block{t: t, first: i, last: i, size: t.bytes(e.rows(t).capacity)}
		of[t] = b
		blocks = append(blocks, b)
	}
	for _, b := range blocks {
		if b.t.keep {
			b.last = len(e.ops)
		}
	}
	sort.SliceStable(blocks, func(i, j int) bool { return blocks[i].size > blocks[j].size })
	return blocks
}

// firstGap returns the lowest offset at which b overlaps no placed block that
// lives at the same time. placed is sorted by offset.
func firstGap(placed []*block, b *block) int {
	offset := 0
	for _, p := range placed {
		if p.last < b.first || b.last < p.first {
			continue
		}
		if offset+b.size <= p.offset {
			break
		}
		offset = max(offset, p.offset+p.size)
	}
	return offset
}

// bytes returns the memory that t needs for a batch of n rows.
func (t *Tensor) bytes(n int) int {
	size := align(4 * n * t.Cols)
	if t.quantise {
		size += kernel.ActsBytes(n, t.Cols)
	}
	size = align(size)
	if t.sort {
		size += kernel.LanesBytes(n, t.Cols)
	}
	return align(size)
}

// place lays t out in mem for a batch of n rows.
func (t *Tensor) place(mem []byte, n int) {
	t.x = unsafe.Slice((*float32)(unsafe.Pointer(&mem[0])), n*t.Cols)
	t.acts = kernel.Acts{N: n, K: t.Cols, X: t.x}
	mem = mem[align(4*n*t.Cols):]
	if t.quantise {
		t.acts.Place(mem)
		mem = mem[align(kernel.ActsBytes(n, t.Cols)):]
	}
	if t.sort {
		t.acts.PlaceLanes(mem)
	}
}

func align(n int) int { return (n + alignment - 1) &^ (alignment - 1) }
