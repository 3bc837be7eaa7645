package convert

import (
	"fmt"
	"sync"
)

// inflowBlock is the memory in which bytes come.
const inflowBlock = 256 << 10

// An inflow is the part of a file that comes in order which has come and is still needed.
// It waits when it is full, and those who read it wait for what has not come.
type inflow struct {
	mu    sync.Mutex
	moved sync.Cond
	from  int64 // of the first block, a multiple of inflowBlock from start on
	end   int64 // of what has come
	low   int64 // nothing before it is needed any more
	limit int64 // bytes between low and end
	data  [][]byte
	spare [][]byte
	err   error // nothing more comes
}

// newInflow returns one of a file that begins to come at byte start.
func newInflow(start, limit int64) *inflow {
	w := &inflow{from: start, end: start, low: start, limit: limit}
	w.moved.L = &w.mu
	return w
}

// add takes bytes that follow the others. It waits while there is no room, and reports
// false if nobody wants them any more.
func (w *inflow) add(p []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(p) > 0 {
		for w.end-w.low >= w.limit && w.err == nil {
			w.moved.Wait()
		}
		if w.err != nil {
			return false
		}
		at := (w.end - w.from) % inflowBlock
		if at == 0 {
			w.data = append(w.data, w.fresh())
		}
		n := copy(w.data[len(w.data)-1][at:], p)
		w.end, p = w.end+int64(n), p[n:]
		w.trim()
		w.moved.Broadcast()
	}
	return true
}

func (w *inflow) fresh() []byte {
	if n := len(w.spare); n > 0 {
		b := w.spare[n-1]
		w.spare = w.spare[:n-1]
		return b
	}
	return make([]byte, inflowBlock)
}

// trim forgets the blocks that are not needed any more.
func (w *inflow) trim() {
	for len(w.data) > 0 && w.from+inflowBlock <= min(w.low, w.end) {
		w.spare = append(w.spare, w.data[0])
		w.data = w.data[1:]
		w.from += inflowBlock
	}
}

// advance says that nothing before byte low is needed any more.
func (w *inflow) advance(low int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.low = max(w.low, low)
	w.trim()
	w.moved.Broadcast()
}

// fail ends the inflow: whoever waits gets err.
func (w *inflow) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	w.moved.Broadcast()
}

// ReadAt waits for bytes and returns them.
func (w *inflow) ReadAt(p []byte, off int64) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for off+int64(len(p)) > w.end && w.err == nil {
		w.moved.Wait()
	}
	switch {
	case off < w.from:
		return 0, fmt.Errorf("bytes from %d on have gone by", off)
	case off+int64(len(p)) > w.end:
		return 0, w.err
	}
	for n := 0; n < len(p); {
		at := off + int64(n) - w.from
		n += copy(p[n:], w.data[at/inflowBlock][at%inflowBlock:])
	}
	return len(p), nil
}
