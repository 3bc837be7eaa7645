package mpt_test

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"mptgo/ggml"
	"mptgo/mpt"
	"mptgo/mpt/convert"
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
					if (testing.Short() || isa == "generic") && (threads != 3 || chunk != 7) {
						continue
					}
					m := opened(t, file, mpt.Threads(threads), mpt.Tier(isa), mpt.LoRA(loraDir("lora-all"), 0.5), mpt.LoRA(loraDir("lora-rslora-attn"), -1))
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
	base, one, both := logits(), logits(mpt.AdapterUse{Adapter: all, Scale: 1}), logits(mpt.AdapterUse{Adapter: all, Scale: 1}, mpt.AdapterUse{Adapter: attn, Scale: 1})
	if sameBits(base, one) || sameBits(one, both) {
		t.Fatal("adapters do nothing")
	}
	s := session(t, m)
	eval(t, s, ids)
	set(t, s, mpt.AdapterUse{Adapter: attn, Scale: 0}) // computes the same
	if s.Len() != len(ids) || !sameBits(s.Logits(), base) {
		t.Error("an adapter at scale 0 removed the tokens")
	}
	set(t, s, mpt.AdapterUse{Adapter: all, Scale: 1})
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
	if err == nil || !strings.Contains(err.Error(), "a different model, adapters") {
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

// Only some of separate projections may be changed, also where the model has one matrix
// for them.
func TestAdapterOfSomeProjections(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	var ws []forged
	for _, module := range []string{"blocks.0.attn.Wq", "blocks.1.attn.Wv"} {
		for _, half := range []forged{{name: ".lora_A.weight", shape: []int{2, 64}}, {name: ".lora_B.weight", shape: []int{64, 2}}} {
			half.name = "base_model.model.transformer." + module + half.name
			for range 128 {
				half.values = append(half.values, float32(r.NormFloat64()/5))
			}
			ws = append(ws, half)
		}
	}
	testMerged(t, tiny, convert.AdapterFile{Path: forgeFolder(t, map[string]any{"r": 2}, ws...), Scale: 1})
}

// Adapters that do not fit are refused as a whole, with a reason.
func TestAdapterRefused(t *testing.T) {
	file := converted(t, tiny, "F32")
	m := opened(t, file)
	pair := func(module string, in, out int, last float32) string {
		a := factor("base_model.model.transformer."+module+".lora_A.weight", []int{8, in}, make([]float32, 8*in))
		b := factor("base_model.model.transformer."+module+".lora_B.weight", []int{out, 8}, make([]float32, 8*out))
		b.values[8*out-1] = last
		return forgeFolder(t, map[string]any{"base_model_name_or_path": "mosaicml/mpt-30b"}, a, b)
	}
	nan := float32(math.NaN())
	for _, c := range []struct{ name, path, want string }{
		{"missing", "nowhere", "lora: stat nowhere: "},
		{"model", file, "a model, not an adapter"},
		{"wider", pair("blocks.0.attn.Wqkv", 7168, 21504, 1), "its change of blk.0.attn_qkv.weight is for 21504 rows of 7168, the model has 192 rows of 64: it was made for mosaicml/mpt-30b, the model is hf-tiny"},
		{"more blocks", pair("blocks.2.attn.Wqkv", 64, 192, 1), "it changes blk.2.attn_qkv.weight, which this model does not have: it was made for mosaicml/mpt-30b"},
		{"gate", pair("blocks.0.ffn.gate_proj", 64, 256, 1), "blk.0.ffn_gate.weight, which this model does not have"},
		{"keys", pair("blocks.0.attn.Wk", 64, 32, 1), "its change of blk.0.attn_k.weight is for 32 rows of 64, the model has 64 rows of 64"},
		{"NaN", pair("blocks.0.attn.Wqkv", 64, 192, nan), "row 191, column 7 is NaN"},
		{"merge only", forgeFolder(t, map[string]any{}, factor("norm_f.weight", []int{64}, make([]float32, 64))), "which can only be merged: mpt merge-lora"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := m.LoadAdapter(c.path); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if m, err := mpt.Open(file, mpt.LoRA(loraDir("lora-all"), 1), mpt.LoRA(c.path, 1)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Open: got %v and %v, want %q", m, err, c.want)
			}
		})
	}
	if _, err := mpt.Open(file, mpt.LoRA(loraDir("lora-all"), nan)); err == nil || !strings.Contains(err.Error(), "a scale of NaN: want a finite number") {
		t.Errorf("scale: %v", err)
	}
	testUsesRefused(t, m, opened(t, file))
}

// testUsesRefused gives a session of m what it cannot use.
func testUsesRefused(t *testing.T, m, other *mpt.Model) {
	t.Helper()
	ours, err := m.LoadAdapter(loraDir("lora-all"))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := other.LoadAdapter(loraDir("lora-all"))
	if err != nil {
		t.Fatal(err)
	}
	s := session(t, m)
	set(t, s, mpt.AdapterUse{Adapter: ours, Scale: 2})
	eval(t, s, text(5))
	for _, bad := range []mpt.AdapterUse{{}, {Adapter: theirs, Scale: 1}, {Adapter: ours, Scale: float32(math.Inf(-1))}} {
		if err := s.SetAdapters(bad); err == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
	if u := s.Adapters(); s.Len() != 5 || len(u) != 1 || u[0].Scale != 2 {
		t.Error("a refused change has changed something")
	}
}

// Many sets of adapters, one after the other, do not keep the memory of all.
func TestAdaptersTakeTurns(t *testing.T) {
	m := opened(t, converted(t, tiny, "Q8_0"), mpt.Threads(1))
	ids := text(12)
	s := session(t, m)
	var uses []mpt.AdapterUse
	want := map[int][]float32{}
	for round := range 2 {
		uses = nil
		for n := range 7 {
			if n > 0 {
				a, err := m.LoadAdapter(loraDir(loraCases[n%len(loraCases)]))
				if err != nil {
					t.Fatal(err)
				}
				uses = append(uses, mpt.AdapterUse{Adapter: a, Scale: 0.25})
			}
			set(t, s, uses...)
			if err := s.Reset(); err != nil {
				t.Fatal(err)
			}
			eval(t, s, ids)
			if got := append([]float32(nil), s.Logits()...); round == 0 {
				want[n] = got
			} else if !sameBits(got, want[n]) {
				t.Errorf("%d adapters: other bits the second time", n)
			}
		}
	}
}

// An adapter of the output matrix works where that is tied to the embedding, which stays.
func TestAdapterOfTiedHead(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	a := factor("base_model.model.lm_head.lora_A.weight", []int{2, 64}, make([]float32, 128))
	b := factor("base_model.model.lm_head.lora_B.weight", []int{512, 2}, make([]float32, 1024))
	for _, v := range [][]float32{a.values, b.values} {
		for i := range v {
			v[i] = float32(r.NormFloat64() / 8)
		}
	}
	testMerged(t, tiny, convert.AdapterFile{Path: forgeFolder(t, map[string]any{"r": 2}, a, b), Scale: 1})
}
