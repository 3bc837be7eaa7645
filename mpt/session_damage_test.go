package mpt_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/klauspost/compress/zstd"

	"mptgo/gguf"
	"mptgo/mpt"
)

// A saved session that is cut off or changed anywhere is an error, unless nothing of
// what it says has changed.
func TestRestoreDamaged(t *testing.T) {
	m := opened(t, converted(t, tinyCase, "Q4_0"), mpt.CacheKeyType(gguf.Q8_0), mpt.CacheValueType(gguf.Q4_0))
	a := session(t, m, mpt.ContextSize(100))
	if err := a.Eval(context.Background(), text(3)); err != nil {
		t.Fatal(err)
	}
	var saved bytes.Buffer
	if err := a.Save(&saved); err != nil {
		t.Fatal(err)
	}
	good := saved.Bytes()
	step := 1 + len(good)/300
	for i := 0; i < len(good); i += step {
		b := session(t, m, mpt.ContextSize(100))
		if err := b.Restore(bytes.NewReader(good[:i])); !errors.Is(err, mpt.ErrSession) {
			t.Fatalf("%d of %d bytes: error %v", i, len(good), err)
		}
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		err := b.Restore(bytes.NewReader(bad))
		switch {
		case err == nil && (fmt.Sprint(a.Tokens()) != fmt.Sprint(b.Tokens()) || !sameBits(a.Logits(), b.Logits())):
			t.Fatalf("byte %d changed: another state", i)
		case err != nil && (!errors.Is(err, mpt.ErrSession) || b.Len() != 0):
			t.Fatalf("byte %d changed: error %v, %d tokens", i, err, b.Len())
		}
		b.Close()
	}
}

// A small file may say that it holds a large session, or go on without end: the memory
// that is taken is for what was read and fits.
func TestRestoreForged(t *testing.T) {
	m := opened(t, converted(t, tinyCase, "Q4_0"))
	a := session(t, m, mpt.ContextSize(100))
	var saved bytes.Buffer
	if err := a.Save(&saved); err != nil {
		t.Fatal(err)
	}
	const magic = 8
	z, err := zstd.NewReader(bytes.NewReader(saved.Bytes()[magic:]))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var plain bytes.Buffer
	if _, err := plain.ReadFrom(z); err != nil {
		t.Fatal(err)
	}
	const tokens = 1 << 24
	head := bytes.Clone(plain.Bytes()[:32+3*4])
	binary.LittleEndian.PutUint32(head[32+2*4:], tokens)
	for name, c := range map[string]struct {
		body    []byte
		context int
	}{
		"more than fit":   {head, 100},
		"nothing follows": {head, tokens},
		"zeros follow":    {append(bytes.Clone(plain.Bytes()), make([]byte, 1<<20)...), 100},
		"a wrong token":   {append(bytes.Clone(plain.Bytes()[:40]), 1, 0, 0, 0, 255, 255, 255, 127, 0), 100},
	} {
		enc, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		b := session(t, m, mpt.ContextSize(c.context))
		forged := append(bytes.Clone(saved.Bytes()[:magic]), enc.EncodeAll(c.body, nil)...)
		if err := b.Restore(bytes.NewReader(forged)); !errors.Is(err, mpt.ErrSession) || b.Len() != 0 {
			t.Errorf("%s: error %v, %d tokens", name, err, b.Len())
		}
	}
}
