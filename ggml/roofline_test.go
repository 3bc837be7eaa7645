package ggml

import (
	"context"
	"errors"
	"testing"
)

func TestRooflineBytes(t *testing.T) {
	n := rooflineBytes()
	if n < readTaskBytes || n%readTaskBytes != 0 {
		t.Errorf("%d bytes to read: want whole tasks of %d", n, readTaskBytes)
	}
	if free := availableMemory(); free < 0 || free > 256<<20 && n > free {
		t.Errorf("%d bytes to read, %d free", n, free)
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
