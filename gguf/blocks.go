package gguf

import (
	"io"
	"sync"
)

// blockBytes is the size of a large page of x86-64 and arm64.
const blockBytes = 2 << 20

// maxPending bounds the memory of blocks: 64 MB.
const maxPending = 32

// blocks collects small writes into aligned blocks of blockBytes, and writes a
// block once it is whole. Linux keeps a file in its cache in pages of the size in
// which it was written: one that came in large pieces is later mapped with one
// page fault per 2 MB instead of 32, which is a tenth of a second for 4 GB.
//
// Its methods may be called concurrently; callers write at the same time.
type blocks struct {
	file io.WriterAt
	busy sync.RWMutex // held by all who add, alone by a flush: what was added before it is in the file

	mu      sync.Mutex
	pending map[int64]*block // by offset in the file divided by blockBytes
	free    []*block         // to be used again
	failed  error            // of the first write that failed
}

type block struct {
	index int64
	data  []byte
	have  spans
}

func newBlocks(file io.WriterAt) *blocks {
	return &blocks{file: file, pending: map[int64]*block{}}
}

// add takes the bytes p of the file from byte off on. An error may be that of
// bytes of an earlier call, and stays.
func (b *blocks) add(p []byte, off int64) error {
	b.busy.RLock()
	defer b.busy.RUnlock()
	for len(p) > 0 {
		at := off % blockBytes
		n := min(int64(len(p)), blockBytes-at)
		if err := b.write(b.put(off/blockBytes, p[:n], at)...); err != nil {
			return err
		}
		p, off = p[n:], off+n
	}
	return nil
}

// put takes the bytes p of block i from byte at of the block on, and returns the
// blocks that should be written now.
func (b *blocks) put(i int64, p []byte, at int64) (ready []*block) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.pending[i]
	if k == nil {
		if len(b.pending) >= maxPending {
			ready = append(ready, b.take(b.lowest()))
		}
		k = b.fresh(i)
		b.pending[i] = k
	}
	copy(k.data[at:], p)
	k.have = k.have.add(at, at+int64(len(p)))
	if missing, _ := k.have.missing(blockBytes); missing == 0 {
		ready = append(ready, b.take(i))
	}
	return ready
}

// lowest returns the index of the first pending block. It is what is written when
// too many are incomplete: bytes between tensors, for one, are never filled in.
func (b *blocks) lowest() int64 {
	lowest := int64(-1)
	for i := range b.pending {
		if lowest < 0 || i < lowest {
			lowest = i
		}
	}
	return lowest
}

func (b *blocks) take(i int64) *block {
	k := b.pending[i]
	delete(b.pending, i)
	return k
}

func (b *blocks) fresh(i int64) *block {
	if n := len(b.free); n > 0 {
		k := b.free[n-1]
		b.free = b.free[:n-1]
		k.index, k.have = i, k.have[:0]
		return k
	}
	return &block{index: i, data: make([]byte, blockBytes)}
}

// write writes what there is of blocks that are pending no more.
func (b *blocks) write(ready ...*block) error {
	for _, k := range ready {
		for _, s := range k.have {
			if _, err := b.file.WriteAt(k.data[s.lo:s.hi], k.index*blockBytes+s.lo); err != nil {
				b.fail(err)
			}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free = append(b.free, ready...)
	return b.failed
}

func (b *blocks) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed == nil {
		b.failed = err
	}
}

// flush writes all blocks.
func (b *blocks) flush() error {
	b.busy.Lock()
	defer b.busy.Unlock()
	b.mu.Lock()
	var ready []*block
	for i := range b.pending {
		ready = append(ready, b.take(i))
	}
	b.mu.Unlock()
	return b.write(ready...)
}
