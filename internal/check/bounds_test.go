package check

import (
	"runtime"
	"testing"
	"time"
)

// probe is a test that notes whether it failed.
type probe struct {
	testing.TB
	failed int
}

func (p *probe) Helper()               {}
func (p *probe) Errorf(string, ...any) { p.failed++ }

var sink []byte

// TestBounded has readers that cost too much, and one that does not.
func TestBounded(t *testing.T) {
	var p probe
	Bounded(&p, 100, func() { sink = make([]byte, 1<<20) })
	if p.failed != 0 {
		t.Error("a modest reader is refused")
	}
	Bounded(&p, 100, func() {
		for range 300 {
			sink = make([]byte, 1<<20)
		}
	})
	if p.failed != 1 {
		t.Error("300 MB for 100 bytes pass")
	}
	Bounded(&p, smallInput, func() {
		for range 300 {
			sink = make([]byte, 1<<20)
		}
	})
	if p.failed != 1 {
		t.Error("a large input may take 300 MB")
	}
	if runtime.GOOS != "linux" || slow > 1 {
		return
	}
	Bounded(&p, 100, func() {
		for start := threadTime(); threadTime()-start < maxBusy+10*time.Millisecond; {
		}
	})
	if p.failed != 2 {
		t.Error("a reader that hangs passes")
	}
}
