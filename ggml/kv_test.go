package ggml

import (
	"bytes"
	"testing"

	"mptgo/gguf"
)

// TestNewKV: what no kernel keeps is refused.
func TestNewKV(t *testing.T) {
	for _, c := range []struct {
		keys, values gguf.Type
		heads, dim   int
	}{{gguf.Q4_K, gguf.F16, 1, 1}, {gguf.F16, gguf.Q5_0, 1, 1}, {gguf.F16, gguf.F16, 0, 1}, {gguf.F16, gguf.F16, 1, -1}} {
		if kv, err := NewKV(c.keys, c.values, c.heads, c.dim); err == nil || kv != nil {
			t.Errorf("%v: %v, %v", c, kv, err)
		}
	}
}

// TestKVPages: pages lie in the caller's memory, all of it, and a cache has those that it was given.
func TestKVPages(t *testing.T) {
	for _, typ := range CacheTypes() {
		kv, err := NewKV(typ, typ, 3, 40)
		if err != nil {
			t.Fatal(err)
		}
		mem := make([]byte, 3*kv.PageBytes())
		var pages [3]KVPage
		for i := range pages {
			pages[i] = kv.PageIn(mem[i*kv.PageBytes():][:kv.PageBytes()])
			if pages[i].Bytes() != kv.PageBytes() {
				t.Errorf("%v: a page has %d bytes, not %d", typ, pages[i].Bytes(), kv.PageBytes())
			}
			kv.Push(&pages[i])
		}
		set := func(p int, v byte) (all int) {
			for h := range kv.Heads() {
				keys, values := kv.Parts(p, h, PageSize)
				for _, part := range [][]byte{keys, values} {
					all += len(part)
					for i := range part {
						part[i] = v
					}
				}
			}
			return all
		}
		if n := set(1, 7); n != kv.PageBytes() {
			t.Errorf("%v: the heads have %d bytes of %d", typ, n, kv.PageBytes())
		}
		pages[2].Copy(&pages[1])
		want := append(make([]byte, kv.PageBytes()), bytes.Repeat([]byte{7}, 2*kv.PageBytes())...)
		if !bytes.Equal(mem, want) {
			t.Errorf("%v: a page lies elsewhere", typ)
		}
		kv.Replace(0, &pages[2])
		set(0, 9)
		if kv.Truncate(1); kv.Pages() != 1 || mem[len(mem)-1] != 9 {
			t.Errorf("%v: %d pages", typ, kv.Pages())
		}
	}
}
