package gguf

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"
)

// A recorder is a file that remembers its writes.
type recorder struct {
	data   []byte
	writes []span
	err    error
}

func (m *recorder) WriteAt(p []byte, off int64) (int, error) {
	if m.err != nil {
		return 0, m.err
	}
	m.writes = append(m.writes, span{off, off + int64(len(p))})
	return copy(m.data[off:], p), nil
}

// TestBlocks writes random pieces in random order, some of them twice, and leaves
// a gap: every byte arrives, and whole blocks arrive in one piece.
func TestBlocks(t *testing.T) {
	const size = 5*blockBytes + 1234
	rng := rand.New(rand.NewPCG(1, 2))
	want := make([]byte, size)
	for i := range want {
		want[i] = byte(rng.Uint32())
	}
	gap := span{3*blockBytes + 100, 3*blockBytes + 120}
	clear(want[gap.lo:gap.hi])
	m := &recorder{data: make([]byte, size)}
	b := newBlocks(m)
	var pieces []span
	for _, s := range []span{{0, gap.lo}, {gap.hi, size}} {
		for lo := s.lo; lo < s.hi; {
			hi := min(s.hi, lo+1+rng.Int64N(1<<20))
			pieces = append(pieces, span{lo, hi})
			lo = hi
		}
	}
	pieces = append(pieces, pieces[2], pieces[5])
	rng.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
	for _, s := range pieces {
		if err := b.add(want[s.lo:s.hi], s.lo); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.flush(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(m.data, want) {
		t.Error("the file differs from what was written")
	}
	whole := 0
	for _, s := range m.writes {
		if s.lo%blockBytes == 0 && s.hi-s.lo == blockBytes {
			whole++
		}
	}
	if whole != 4 {
		t.Errorf("%d whole blocks, want 4, in %v", whole, m.writes)
	}
}

// TestBlocksBound leaves all blocks incomplete: they do not pile up in memory.
func TestBlocksBound(t *testing.T) {
	m := &recorder{data: make([]byte, 100*blockBytes)}
	b := newBlocks(m)
	for i := range int64(100) {
		if err := b.add([]byte{1}, i*blockBytes); err != nil {
			t.Fatal(err)
		}
		if len(b.pending) > maxPending {
			t.Fatalf("%d blocks wait", len(b.pending))
		}
	}
	m.err = errors.New("full")
	if err := b.add([]byte{1}, 200*blockBytes); err != m.err {
		t.Errorf("got %v", err)
	}
	if err := b.flush(); err != m.err {
		t.Errorf("got %v", err)
	}
}

// slowWriter waits with every write until it may.
type slowWriter struct {
	began, may chan struct{}
	written    atomic.Int64
}

func (w *slowWriter) WriteAt(p []byte, _ int64) (int, error) {
	w.began <- struct{}{}
	<-w.may
	w.written.Add(int64(len(p)))
	return len(p), nil
}

// TestFlushWaits flushes while a block is being written: its bytes are in the file then,
// whoever writes them.
func TestFlushWaits(t *testing.T) {
	w := &slowWriter{began: make(chan struct{}), may: make(chan struct{})}
	b := newBlocks(w)
	go b.add(make([]byte, blockBytes), 0)
	<-w.began
	flushed := make(chan int64, 1)
	go func() {
		b.flush()
		flushed <- w.written.Load()
	}()
	select {
	case n := <-flushed:
		t.Fatalf("%d bytes are written when the flush ends", n)
	case <-time.After(10 * time.Millisecond):
	}
	close(w.may)
	if n := <-flushed; n != blockBytes {
		t.Errorf("%d bytes are written when the flush ends", n)
	}
}
