package mpt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"mptgo/ggml"
	"mptgo/gguf"
	"mptgo/internal/check"
	"mptgo/mpt"
	"mptgo/mpt/convert"
	"mptgo/quantize/recipes"
)

// tinyCase is the checkpoint that tests of behaviour use.
var tinyCase = filepath.Join("testdata", "cases", "hf-extrapolate")

// text is a sequence of tokens that crosses a border of the cache's pages and
// is no multiple of anything.
func text(n int) []int32 {
	ids := make([]int32, n)
	x := uint32(12345)
	for i := range ids {
		x = x*1664525 + 1013904223
		ids[i] = int32(x >> 8 % 500)
	}
	return ids
}

// evalInChunks returns the logits after the last token of ids, evaluated in
// pieces of the given size.
func evalInChunks(t *testing.T, m *mpt.Model, ids []int32, chunk int) []float32 {
	t.Helper()
	s := session(t, m, mpt.ContextSize(len(ids)+100))
	for i := 0; i < len(ids); i += chunk {
		if err := s.Eval(context.Background(), ids[i:min(i+chunk, len(ids))]); err != nil {
			t.Fatal(err)
		}
	}
	return append([]float32(nil), s.Logits()...)
}

func sameBits(a, b []float32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return false
		}
	}
	return true
}

// The same bits for every number of threads, size of chunks and kernels, and
// for every type of weights, exact or not.
func TestSameBits(t *testing.T) {
	const n = 541
	ids := text(n)
	for _, typ := range plainRecipes {
		file := converted(t, tinyCase, typ)
		for _, exact := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/exact=%v", typ, exact), func(t *testing.T) {
				var opts []mpt.Option
				if exact {
					opts = append(opts, mpt.Exact())
				}
				testSameBits(t, file, ids, opts...)
			})
		}
	}
}

// The same for the types that rows of 256 have, whose mixes hold several each.
func TestSameBitsMixes(t *testing.T) {
	if check.Race {
		t.Skip("TestSameBits shares as much")
	}
	shape := convert.Shape{Name: "256,4,2", DModel: 256, Heads: 4, Layers: 2, Context: 1024}
	for _, typ := range mixes {
		t.Run(typ, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), typ+".gguf")
			if _, err := convert.Synthetic(context.Background(), shape, 1, file, convert.Options{Type: typ}); err != nil {
				t.Fatal(err)
			}
			var want []float32
			for _, isa := range ggml.Tiers() {
				for _, way := range [][2]int{{1, 20}, {3, 7}} {
					m := opened(t, file, mpt.Threads(way[0]), mpt.Tier(isa))
					got := evalInChunks(t, m, text(20), way[1])
					if want == nil {
						want = got
					}
					if !sameBits(got, want) {
						t.Errorf("%s kernels, %d threads, chunks of %d: other logits", isa, way[0], way[1])
					}
				}
			}
		})
	}
}

// TestSameBitsComplete: a recipe of every type that can be written is in a list.
func TestSameBitsComplete(t *testing.T) {
	tested := map[gguf.Type]bool{}
	for _, name := range slices.Concat(plainRecipes, mixes) {
		r, err := recipes.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		tested[r.Base] = true
	}
	for _, r := range recipes.All() {
		if !tested[r.Base] {
			t.Errorf("no recipe with base %v is in plainRecipes or mixes, such as %s", r.Base, r.Name)
		}
	}
}

// plainRecipes are those of the types for short rows too, mixes those of types for rows of 256.
var plainRecipes = []string{"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"}

var mixes = []string{"Q2_K", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "IQ4_NL", "IQ4_XS", "IQ3_M", "IQ3_XXS", "IQ2_M", "TQ1_0", "TQ2_0"}

// The same for every type of cache, and two types of a cache.
func TestSameBitsOfCaches(t *testing.T) {
	ids, types := text(541), mpt.CacheTypes()
	file := converted(t, tinyCase, "Q4_0")
	for i, keys := range types {
		for _, values := range []gguf.Type{keys, types[(i+1)%len(types)]} {
			t.Run(fmt.Sprintf("%v/%v", keys, values), func(t *testing.T) {
				testSameBits(t, file, ids, mpt.CacheKeyType(keys), mpt.CacheValueType(values))
			})
		}
	}
}

func testSameBits(t *testing.T, file string, ids []int32, more ...mpt.Option) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8)) // a model starts no more threads than that
	var want []float32
	tiers := ggml.Tiers()
	if check.Race {
		tiers = tiers[len(tiers)-1:]
	}
	for _, isa := range tiers {
		for _, threads := range []int{1, 2, 3, 8} {
			for _, chunk := range []int{1, 7, 32, 512} {
				few := threads == 3 || check.Race && threads == 8 // one tier needs two ways to compare
				if (testing.Short() || isa == "generic") && (!few || chunk != 32) {
					continue
				}
				m := opened(t, file, append([]mpt.Option{mpt.Threads(threads), mpt.Tier(isa)}, more...)...)
				got := evalInChunks(t, m, ids, chunk)
				if want == nil {
					want = got
				}
				if !sameBits(got, want) {
					t.Errorf("%s kernels, %d threads, chunks of %d: other logits", isa, threads, chunk)
				}
			}
		}
	}
}

// What EvalAll shows for a token is what Eval gives when it is the last.
func TestEvalAllIsEval(t *testing.T) {
	m := opened(t, converted(t, tinyCase, "Q8_0"), mpt.Threads(2))
	ids := text(150)
	rows := allLogits(t, m, ids)
	for _, n := range []int{1, 2, 63, 64, 65, 150} {
		if !sameBits(rows[n-1], evalInChunks(t, m, ids[:n], 512)) {
			t.Errorf("token %d: other logits", n)
		}
	}
}

// continued returns the logits after more tokens, to see that a session's
// hidden state is right too.
func continued(t *testing.T, s *mpt.Session) []float32 {
	t.Helper()
	if err := s.Eval(context.Background(), text(9)); err != nil {
		t.Fatal(err)
	}
	return append([]float32(nil), s.Logits()...)
}

func TestSaveRestore(t *testing.T) {
	file := converted(t, tinyCase, "Q4_0")
	for _, cacheType := range mpt.CacheTypes() {
		m := opened(t, file, mpt.CacheType(cacheType), mpt.Threads(2))
		for _, n := range []int{0, 1, 31, 32, 513, 1024} {
			a := session(t, m, mpt.ContextSize(2000))
			if err := a.Eval(context.Background(), text(n)); err != nil {
				t.Fatal(err)
			}
			var saved bytes.Buffer
			if err := a.Save(&saved); err != nil {
				t.Fatal(err)
			}
			b := session(t, m, mpt.ContextSize(2000))
			if err := b.Eval(context.Background(), text(700)[300:]); err != nil {
				t.Fatal(err)
			}
			if err := b.Restore(bytes.NewReader(saved.Bytes())); err != nil {
				t.Fatal(err)
			}
			if !sameBits(a.Logits(), b.Logits()) || fmt.Sprint(a.Tokens()) != fmt.Sprint(b.Tokens()) {
				t.Errorf("%v cache, %d tokens: another state after Restore", cacheType, n)
			}
			if !sameBits(continued(t, a), continued(t, b)) {
				t.Errorf("%v cache, %d tokens: another continuation after Restore", cacheType, n)
			}
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	file := converted(t, tinyCase, "Q4_0")
	m := opened(t, file)
	s := session(t, m, mpt.ContextSize(100))
	if err := s.Eval(context.Background(), text(40)); err != nil {
		t.Fatal(err)
	}
	var saved bytes.Buffer
	if err := s.Save(&saved); err != nil {
		t.Fatal(err)
	}
	other := opened(t, converted(t, filepath.Join("testdata", "cases", "hf-tiny"), "Q4_0"))
	good := saved.Bytes()
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 1
	for name, c := range map[string]struct {
		m    *mpt.Model
		data []byte
		opt  mpt.SessionOption
	}{
		"empty":         {m, nil, mpt.ContextSize(100)},
		"magic":         {m, []byte("GGUF....................."), mpt.ContextSize(100)},
		"truncated":     {m, good[:len(good)-20], mpt.ContextSize(100)},
		"damaged":       {m, flipped, mpt.ContextSize(100)},
		"other model":   {other, good, mpt.ContextSize(100)},
		"other cache":   {opened(t, file, mpt.CacheType(gguf.F32)), good, mpt.ContextSize(100)},
		"other keys":    {opened(t, file, mpt.CacheKeyType(gguf.Q8_0)), good, mpt.ContextSize(100)},
		"other values":  {opened(t, file, mpt.CacheValueType(gguf.Q8_0)), good, mpt.ContextSize(100)},
		"small context": {m, good, mpt.ContextSize(39)},
	} {
		s := session(t, c.m, c.opt)
		if err := s.Eval(context.Background(), text(5)); err != nil {
			t.Fatal(err)
		}
		before := append([]float32(nil), s.Logits()...)
		if err := s.Restore(bytes.NewReader(c.data)); !errors.Is(err, mpt.ErrSession) {
			t.Errorf("%s: error %v", name, err)
		}
		if s.Len() != 5 || !sameBits(s.Logits(), before) {
			t.Errorf("%s: a failed Restore changed the session", name)
		}
	}
}

func TestForkAndTruncate(t *testing.T) {
	m := opened(t, converted(t, tinyCase, "Q8_0"), mpt.Threads(2))
	ids := text(600)
	fresh := func(ids ...int32) []float32 { return evalInChunks(t, m, ids, 512) }
	s := session(t, m, mpt.ContextSize(1000))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.Eval(context.Background(), ids))
	f, err := s.Fork()
	must(err)
	defer f.Close()
	must(f.Truncate(530))
	must(f.Eval(context.Background(), []int32{7, 8}))
	if !sameBits(f.Logits(), fresh(append(append([]int32{}, ids[:530]...), 7, 8)...)) {
		t.Error("a truncated fork is not a fresh session")
	}
	must(s.Eval(context.Background(), []int32{9}))
	if !sameBits(s.Logits(), fresh(append(append([]int32{}, ids...), 9)...)) {
		t.Error("a fork changed the session it came from")
	}
	must(s.Truncate(0))
	if s.Logits() != nil {
		t.Error("logits outlive their token")
	}
}

// oneLayer returns a file with the first layer of a model.
func oneLayer(t *testing.T, file string) string {
	t.Helper()
	f, err := gguf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	meta := f.ModelMeta()
	for i := range meta {
		if meta[i].Key == "mpt.block_count" {
			meta[i].Value = uint32(1)
		}
	}
	var infos []gguf.TensorInfo
	var data [][]byte
	for _, x := range f.Tensors() {
		if !strings.HasPrefix(x.Name, "blk.") || strings.HasPrefix(x.Name, "blk.0.") {
			infos, data = append(infos, x.Info()), append(data, x.Data())
		}
	}
	b, err := gguf.Encode(meta, infos, data)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "one.gguf")
	if err := os.WriteFile(out, b, 0o666); err != nil {
		t.Fatal(err)
	}
	return out
}

// With one layer, keys and values depend on nothing but their token, so a
// session with dropped tokens is a session that never saw them, to the bit.
func TestDropIsNeverSeen(t *testing.T) {
	file := oneLayer(t, converted(t, tinyCase, "F32"))
	for _, cacheType := range mpt.CacheTypes() {
		m := opened(t, file, mpt.Threads(2), mpt.CacheType(cacheType))
		ids := text(1100)
		for _, r := range [][2]int{{0, 1}, {0, 32}, {40, 277}, {511, 513}, {500, 1099}, {0, 1100}, {7, 7}, {1000, 1100}} {
			s := session(t, m, mpt.ContextSize(2000))
			if err := s.Eval(context.Background(), ids); err != nil {
				t.Fatal(err)
			}
			f, err := s.Fork()
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Drop(r[0], r[1]); err != nil {
				t.Fatal(err)
			}
			left := append(append([]int32{}, ids[:r[0]]...), ids[r[1]:]...)
			if fmt.Sprint(s.Tokens()) != fmt.Sprint(left) {
				t.Fatalf("Drop of %v left other tokens", r)
			}
			fresh := evalInChunks(t, m, append(left, text(9)...), 512)
			if !sameBits(continued(t, s), fresh) {
				t.Errorf("%v cache, drop of %v: not the bits of a session that never saw them", cacheType, r)
			}
			if !sameBits(continued(t, f), evalInChunks(t, m, append(append([]int32{}, ids...), text(9)...), 512)) {
				t.Errorf("%v cache, drop of %v changed a fork", cacheType, r)
			}
			f.Close()
		}
	}
}

func TestEvalRefuses(t *testing.T) {
	m := opened(t, converted(t, tinyCase, "Q8_0"))
	s := session(t, m, mpt.ContextSize(10))
	if err := s.Eval(context.Background(), text(11)); !errors.Is(err, mpt.ErrContextFull) {
		t.Errorf("too many tokens: %v", err)
	}
	if err := s.Eval(context.Background(), []int32{1, -1}); err == nil {
		t.Error("a negative token passed")
	}
	if err := s.Eval(context.Background(), []int32{int32(m.Config().Vocab)}); err == nil {
		t.Error("a token beyond the vocabulary passed")
	}
	if s.Len() != 0 {
		t.Errorf("%d tokens after refused calls", s.Len())
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Eval(ctx, text(3)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := s.Eval(context.Background(), text(3)); err != nil {
		t.Errorf("after a cancelled call: %v", err)
	}
}

func TestNoAllocationPerToken(t *testing.T) {
	m := opened(t, converted(t, tinyCase, "Q4_0"), mpt.Threads(2))
	ids := text(400)
	ctx := context.Background()
	steps := make([]mpt.Step, 9)
	for i := range steps {
		steps[i].Session = session(t, m, mpt.ContextSize(600))
		steps[i].IDs = ids[:7+i]
	}
	if err := m.Run(ctx, steps); err != nil {
		t.Fatal(err)
	}
	i := 100
	if n := testing.AllocsPerRun(200, func() {
		for k := range steps {
			steps[k].IDs = ids[i : i+1]
		}
		if err := m.Run(ctx, steps); err != nil {
			t.Fatal(err)
		}
		if err := steps[0].Session.Eval(ctx, ids[i:i+1]); err != nil {
			t.Fatal(err)
		}
		i++
	}); n > 1 { // lists of tokens and pages grow now and then
		t.Errorf("%v allocations per step", n)
	}
}
