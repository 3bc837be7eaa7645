package ggml

import (
	"testing"

	"mptgo/gguf"
)

// Three rows after four positions attend to 5, 6 and 7 positions.
func TestAttentionCost(t *testing.T) {
	o := &attend{Attention: Attention{Heads: 2, Dim: 8}}
	e := &Exec{n: 3, batch: &Batch{Pos: 4, KV: []*KV{{Type: gguf.F16}}}}
	bytes, macs := o.work(e)
	if want := int64(2 * 16 * 2 * 7); bytes != want {
		t.Errorf("%d bytes, want %d", bytes, want)
	}
	if want := int64(2 * 16 * (5 + 6 + 7)); macs != want {
		t.Errorf("%d multiplications, want %d", macs, want)
	}
}
