package mpt_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"mptgo/ggml"
	"mptgo/gguf"
	"mptgo/mpt"
)

// Pages that were saved and read back are those that would be evaluated, whatever the types.
func TestSavedPages(t *testing.T) {
	for _, kv := range [][2]gguf.Type{{gguf.F16, gguf.F16}, {gguf.Q8_0, gguf.Q4_0}, {gguf.F32, gguf.Q8_0}} {
		m := opened(t, converted(t, tinyCase, "Q4_0"), mpt.CacheKeyType(kv[0]), mpt.CacheValueType(kv[1]))
		ids := bytesOfPages(5*ggml.PageSize + 7)
		a, b := session(t, m, mpt.ContextSize(300)), session(t, m, mpt.ContextSize(300))
		if err := a.Eval(context.Background(), ids); err != nil {
			t.Fatal(err)
		}
		for _, part := range [][2]int{{0, 2}, {2, 3}, {3, 5}} {
			from, to := part[0]*ggml.PageSize, part[1]*ggml.PageSize
			var file bytes.Buffer
			if err := a.SavePages(&file, from, to); err != nil {
				t.Fatal(err)
			}
			if err := b.RestorePages(&file, ids[from:to]); err != nil || b.Logits() != nil {
				t.Fatalf("pages %v: %v", part, err)
			}
			if !slices.Equal(b.Tokens(), ids[:to]) {
				t.Fatalf("pages %v: tokens %v", part, b.Tokens())
			}
		}
		if err := b.Eval(context.Background(), ids[b.Len():]); err != nil {
			t.Fatal(err)
		}
		if !sameBits(a.Logits(), b.Logits()) {
			t.Errorf("%v: other logits behind restored pages", kv)
		}
	}
}

func bytesOfPages(n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(i*7%90 + 1)
	}
	return ids
}

// Saved pages that are damaged, cut off or belong elsewhere are refused, and the session is
// as before.
func TestSavedPagesRefused(t *testing.T) {
	m := opened(t, converted(t, tinyCase, "Q4_0"))
	ids := bytesOfPages(3 * ggml.PageSize)
	a := session(t, m, mpt.ContextSize(300))
	if err := a.Eval(context.Background(), ids); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := a.SavePages(&file, ggml.PageSize, 2*ggml.PageSize); err != nil {
		t.Fatal(err)
	}
	good := file.Bytes()
	b, want := session(t, m, mpt.ContextSize(300)), ids[ggml.PageSize:2*ggml.PageSize]
	refused := func(what string, data []byte) {
		t.Helper()
		n := b.Len()
		if err := b.RestorePages(bytes.NewReader(data), want); !errors.Is(err, mpt.ErrSession) || b.Len() != n {
			t.Fatalf("%s: error %v, %d tokens", what, err, b.Len())
		}
	}
	refused("behind nothing", good)
	if err := b.Eval(context.Background(), ids[:ggml.PageSize]); err != nil {
		t.Fatal(err)
	}
	step := 1 + len(good)/300
	for i := 0; i < len(good); i += step {
		refused("cut off", good[:i])
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		refused("damaged", bad)
	}
	refused("longer", append(bytes.Clone(good), 0))
	for _, other := range [][]int32{ids[:ggml.PageSize], ids[ggml.PageSize:], want[1:], nil} {
		if err := b.RestorePages(bytes.NewReader(good), other); !errors.Is(err, mpt.ErrSession) {
			t.Errorf("wanted %d other tokens: %v", len(other), err)
		}
	}
	if err := b.RestorePages(bytes.NewReader(good), want); err != nil {
		t.Fatal(err)
	}
	refused("twice", good)
	short := session(t, m, mpt.ContextSize(ggml.PageSize+1))
	if err := short.Eval(context.Background(), ids[:ggml.PageSize]); err != nil {
		t.Fatal(err)
	}
	if err := short.RestorePages(bytes.NewReader(good), want); !errors.Is(err, mpt.ErrContextFull) {
		t.Errorf("into a shorter context: %v", err)
	}
	other := opened(t, converted(t, tinyCase, "Q8_0"))
	b = session(t, other, mpt.ContextSize(300))
	if err := b.Eval(context.Background(), ids[:ggml.PageSize]); err != nil {
		t.Fatal(err)
	}
	refused("a different model", good)
	for _, x := range [][2]int{{0, 0}, {1, 33}, {0, 33}, {-32, 32}, {64, 128}} {
		if err := a.SavePages(&file, x[0], x[1]); err == nil {
			t.Errorf("tokens %v were saved", x)
		}
	}
}
