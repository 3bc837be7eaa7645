//go:build unix

package mat

import (
	"math/rand/v2"
	"os"
	"runtime/debug"
	"syscall"
	"testing"
)

// TestMatMulFault checks that a file that shrinks under its mapping, which makes
// pages unreadable, is a panic that the caller can recover from.
func TestMatMulFault(t *testing.T) {
	page := os.Getpagesize()
	gone, err := syscall.Mmap(-1, 0, 64*page, syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(gone)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	forModes(t, func(t *testing.T, c matCase) {
		debug.SetPanicOnFault(true)
		c.rows, c.k = 16, 256
		row, err := c.typ.RowBytes(c.k)
		if err != nil {
			t.Fatal(err)
		}
		w := &Weights{c.typ, c.rows, c.k, gone[:c.rows*row]}
		for _, tier := range tested() {
			for _, c.n = range []int{1, 8} {
				a := plain.acts(t, rand.New(rand.NewPCG(10, 0)), c.n, c.k)
				if !panics(func() {
					tier.MatMul(make([]float32, c.n*c.rows), c.rows, w, a, c.n, 0, c.rows, c.exact, new(Scratch))
				}) {
					t.Errorf("%v: %s: no panic", c, tier.Name)
				}
			}
		}
	})
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}
