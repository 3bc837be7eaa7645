package gguf

import (
	"context"
	"os"
)

// prefetchBytes is how much Prefetch asks for at a time: enough to keep a fast
// disk busy, little enough to stop soon.
const prefetchBytes = 16 << 20

// Prefetch reads the files into memory from front to back, which a disk does
// faster than it serves the page faults of whoever uses the
// tensors, and returns when all of it is there or ctx is done. It changes nothing
// but the time that later reading takes. Systems where it cannot be done and
// models larger than the machine's memory are left alone, and so is what cannot
// be read: using it will tell.
//
// Close must not be called before Prefetch has returned.
func (f *File) Prefetch(ctx context.Context) {
	if have, err := memory(); err != nil || f.size > have {
		return
	}
	// Parts must begin on a page. A mapping does.
	step := max(prefetchBytes, os.Getpagesize())
	for _, m := range f.maps {
		for at := 0; at < len(m); at += step {
			if ctx.Err() != nil || populate(m[at:min(at+step, len(m))]) != nil {
				return
			}
		}
	}
}
