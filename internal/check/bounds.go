package check

import (
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

// What reading an input may cost: those below smallInput bytes must not make the
// reader allocate more than maxAllocated bytes, all allocations added up, and none
// may keep it busy for longer than maxBusy.
const (
	smallInput   = 1 << 20
	maxAllocated = 256 << 20
	maxBusy      = time.Second
)

// Bounded calls read, which reads an input of n bytes that somebody hostile may have
// made, and fails the test if that costs more than it may. Time is processor time of
// the calling thread, where the system tells it: a busy machine does not fail the
// test.
func Bounded(t testing.TB, n int, read func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	bytes, busy := allocated(), threadTime()
	read()
	bytes, busy = allocated()-bytes, threadTime()-busy
	if n < smallInput && bytes > maxAllocated {
		t.Errorf("an input of %d bytes made its reader allocate %d MB", n, bytes>>20)
	}
	if busy > slow*maxBusy {
		t.Errorf("an input of %d bytes kept its reader busy for %v", n, busy)
	}
}

// allocated returns the bytes that the process has allocated so far.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
