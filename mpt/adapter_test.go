package mpt_test

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"mptgo/ggml"
	"mptgo/mpt"
)

// loraCases are adapters for hf-tiny with the results of the reference.
var loraCases = []string{"lora-all", "lora-rank-pattern", "lora-rslora-attn"}

// tiny is the base of the adapters.
var tiny = filepath.Join("testdata", "cases", "hf-tiny")

func loraDir(name string) string { return filepath.Join("testdata", "cases", name) }

// Every adapter in exact mode: logits within the bound, greedy tokens equal.
func TestAdapterCases(t *testing.T) {
	for _, name := range loraCases {
		t.Run(name, func(t *testing.T) {
			dir := loraDir(name)
			testExpected(t, opened(t, converted(t, tiny, "F32"), mpt.Exact(), mpt.LoRA(dir, 1)), dir)
		})
	}
}

// The same bits for every number of threads, size of chunks and kernels.
func TestAdapterSameBits(t *testing.T) {
	ids := text(200)
	for _, typ := range []string{"F32", "Q4_0"} {
		file := converted(t, tiny, typ)
		var want []float32
		for _, isa := range ggml.Tiers() {
			for _, threads := range []int{1, 3} {
				for _, chunk := range []int{1, 7, 200} {
					m := opened(t, file, mpt.Threads(threads), mpt.ISA(isa), mpt.LoRA(loraDir("lora-all"), 0.5), mpt.LoRA(loraDir("lora-rslora-attn"), -1))
					got := evalInChunks(t, m, ids, chunk)
					if want == nil {
						want = got
					}
					if !sameBits(got, want) {
						t.Errorf("%s: %s kernels, %d threads, chunks of %d: other logits", typ, isa, threads, chunk)
					}
				}
			}
		}
		if base := evalInChunks(t, opened(t, file), ids, 200); sameBits(base, want) {
			t.Errorf("%s: the adapters do nothing", typ)
		}
	}
}

// An adapter whose scale is 0 changes no bit, in no type of weights.
func TestAdapterAtZero(t *testing.T) {
	ids := text(70)
	for _, typ := range []string{"F32", "F16", "Q8_0", "Q4_0"} {
		file := converted(t, tiny, typ)
		base := evalInChunks(t, opened(t, file), ids, 32)
		m := opened(t, file, mpt.LoRA(loraDir("lora-all"), 0))
		if !sameBits(evalInChunks(t, m, ids, 32), base) {
			t.Errorf("%s: other bits", typ)
		}
	}
}

// A session changes its adapters; others, forks and saved sessions are not confused.
func TestSetAdapters(t *testing.T) {
	m := opened(t, converted(t, tiny, "Q8_0"))
	ids := text(40)
	load := func(name string) *mpt.Adapter {
		a, err := m.LoadAdapter(loraDir(name))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	all, attn := load("lora-all"), load("lora-rslora-attn")
	logits := func(uses ...mpt.AdapterUse) []float32 {
		s := session(t, m)
		set(t, s, uses...)
		eval(t, s, ids)
		return append([]float32(nil), s.Logits()...)
	}
	base, one, both := logits(), logits(mpt.AdapterUse{all, 1}), logits(mpt.AdapterUse{all, 1}, mpt.AdapterUse{attn, 1})
	if sameBits(base, one) || sameBits(one, both) {
		t.Fatal("adapters do nothing")
	}
	s := session(t, m)
	eval(t, s, ids)
	set(t, s, mpt.AdapterUse{attn, 0}) // computes the same
	if s.Len() != len(ids) || !sameBits(s.Logits(), base) {
		t.Error("an adapter at scale 0 removed the tokens")
	}
	set(t, s, mpt.AdapterUse{all, 1})
	if s.Len() != 0 {
		t.Errorf("%d tokens of the model without adapter are still there", s.Len())
	}
	eval(t, s, ids[:20])
	f, err := s.Fork()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, x := range []*mpt.Session{s, f} {
		eval(t, x, ids[20:])
		if !sameBits(x.Logits(), one) {
			t.Error("other logits")
		}
	}
	testSavedAdapters(t, m, s, one)
	if got := logits(); !sameBits(got, base) {
		t.Error("adapters of other sessions change the model")
	}
}

// testSavedAdapters saves s, whose logits are given, and restores it with the same and
// with other adapters.
func testSavedAdapters(t *testing.T, m *mpt.Model, s *mpt.Session, logits []float32) {
	t.Helper()
	var saved bytes.Buffer
	if err := s.Save(&saved); err != nil {
		t.Fatal(err)
	}
	restored := session(t, m)
	err := restored.Restore(bytes.NewReader(saved.Bytes()))
	if err == nil || !strings.Contains(err.Error(), "another model or other adapters") {
		t.Errorf("restored without its adapter: %v", err)
	}
	set(t, restored, s.Adapters()...)
	if err := restored.Restore(bytes.NewReader(saved.Bytes())); err != nil {
		t.Error(err)
	}
	if !sameBits(restored.Logits(), logits) {
		t.Error("restored: other logits")
	}
}

func set(t *testing.T, s *mpt.Session, uses ...mpt.AdapterUse) {
	t.Helper()
	if err := s.SetAdapters(uses...); err != nil {
		t.Fatal(err)
	}
}

func eval(t *testing.T, s *mpt.Session, ids []int32) {
	t.Helper()
	if err := s.Eval(context.Background(), ids); err != nil {
		t.Fatal(err)
	}
}
