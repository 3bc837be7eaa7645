package ggml

import (
	"testing"

	"mptgo/gguf"
)

// Three rows after four positions attend to 5, 6 and 7 positions, or to those of them
// in the window; of a page, each head of keys is counted once.
func TestAttentionCost(t *testing.T) {
	for _, c := range []struct {
		a           Attention
		seen, pairs int64
	}{
		{Attention{Heads: 2, KVHeads: 2, Dim: 8}, 7, 5 + 6 + 7},
		{Attention{Heads: 6, KVHeads: 2, Dim: 8}, 7, 5 + 6 + 7},
		{Attention{Heads: 2, KVHeads: 1, Dim: 8, Window: 6}, 7, 5 + 6 + 6},
		{Attention{Heads: 2, KVHeads: 1, Dim: 8, Window: 2}, 4, 2 + 2 + 2},
		{Attention{Heads: 2, KVHeads: 1, Dim: 8, Window: 100}, 7, 5 + 6 + 7},
	} {
		o := &attend{Attention: c.a}
		kv, err := NewKV(gguf.F16, gguf.F16, c.a.KVHeads, 8)
		if err != nil {
			t.Fatal(err)
		}
		e := &Exec{batch: &Batch{Spans: []Span{{N: 3, Pos: 4, KV: []*KV{kv}}}}}
		bytes, macs := o.work(e)
		if want := int64(2*c.a.KVHeads*8*2) * c.seen; bytes != want {
			t.Errorf("%+v: %d bytes, want %d", c.a, bytes, want)
		}
		if want := int64(2*c.a.Heads*8) * c.pairs; macs != want {
			t.Errorf("%+v: %d multiplications, want %d", c.a, macs, want)
		}
	}
}
