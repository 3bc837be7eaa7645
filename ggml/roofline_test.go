package ggml

import (
	"context"
	"errors"
	"math"
	"testing"

	"mptgo/internal/sysmem"
)

// TestRooflineBytes: four times the largest cache or more, but no more than half of what
// is left, in whole tasks.
func TestRooflineBytes(t *testing.T) {
	left := func(n int64, ok bool) func() (sysmem.Limit, bool) {
		return func() (sysmem.Limit, bool) { return sysmem.Limit{Bytes: n}, ok }
	}
	for _, c := range []struct {
		name  string
		left  func() (sysmem.Limit, bool)
		cache int
		want  int64
	}{
		{"much memory", left(64<<30, true), 32 << 20, 1 << 30},
		{"a large cache", left(64<<30, true), 512 << 20, 2 << 30},
		{"a small container", left(500<<20, true), 32 << 20, 250 << 20},
		{"whole tasks", left(301<<20, true), 32 << 20, 150 << 20},
		{"next to nothing", left(1<<20, true), 32 << 20, 64 << 20},
		{"nobody knows", left(0, false), 0, 512 << 20},
	} {
		if got := int64(rooflineBytes(c.left, c.cache)); got != min(c.want, math.MaxInt/2/readTaskBytes*readTaskBytes) {
			t.Errorf("%s: %d bytes to read, want %d", c.name, got, c.want)
		}
	}
}

func TestBestRate(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	rate, err := best(context.Background(), pool, 4, 10, func(int, int) {})
	if err != nil || !(rate > 0) {
		t.Errorf("%v, %v", rate, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := best(ctx, pool, 4, 10, func(int, int) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
}
