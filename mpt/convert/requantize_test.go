package convert

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mptgo/gguf"
	"mptgo/quantize"
	"mptgo/quantize/imatrix"
	"mptgo/quantize/recipes"
)

// requantized converts a checkpoint to a file and that to another type.
func requantized(t *testing.T, name, first, then string) (f, g *gguf.File) {
	t.Helper()
	f = mustConvert(t, caseDir(name), Options{Type: first})
	return f, mustConvert(t, f.Name(), Options{Type: then, AllowRequantize: true})
}

// TestRequantize goes to every type by way of F32: the tensors must be those of a
// direct conversion.
func TestRequantize(t *testing.T) {
	for _, r := range recipes.All() {
		opt := Options{Type: r.Name, Imatrix: neededImatrix(t, "hf-tiny", r)}
		g := mustConvert(t, mustConvert(t, caseDir("hf-tiny"), Options{Type: "F32"}).Name(), opt)
		want := mustConvert(t, caseDir("hf-tiny"), opt)
		for _, x := range want.Tensors() {
			y := mustTensor(t, g, x.Name)
			if y.Type != x.Type || !bytes.Equal(x.Data(), y.Data()) {
				t.Errorf("%s: %s differs (%v, %v)", r.Name, x.Name, x.Type, y.Type)
			}
		}
		if len(g.Tensors()) != len(want.Tensors()) || mustGet[uint32](t, g, "general.file_type") != r.FileType {
			t.Errorf("%s: tensors or file type", r.Name)
		}
	}
}

// TestRequantizeOrder holds keys and tensors against the order that other programs
// give them.
func TestRequantizeOrder(t *testing.T) {
	f, g := requantized(t, "hf-softmax-scale", "F16", "Q8_0")
	var want, got, names []string
	for _, kv := range f.Meta() {
		if kv.Key != "general.file_type" {
			want = append(want, kv.Key)
		}
	}
	want = append(want, "general.quantization_version", "general.file_type")
	for _, kv := range g.Meta() {
		got = append(got, kv.Key)
	}
	if !slices.Equal(got, want) {
		t.Errorf("keys %q\nwant %q", got, want)
	}
	for _, x := range g.Tensors() {
		names = append(names, x.Name)
	}
	block := []string{"attn_norm", "attn_output", "attn_qkv", "ffn_down", "ffn_norm", "ffn_up"}
	order := []string{"output_norm.weight", "token_embd.weight"}
	for _, b := range []string{"blk.0.", "blk.1."} {
		for _, n := range block {
			order = append(order, b+n+".weight")
		}
	}
	if !slices.Equal(names, order) {
		t.Errorf("tensors %q", names)
	}
}

// TestUntiedTypes checks that the recipe knows whether there is an output matrix,
// wherever it lies among the tensors.
func TestUntiedTypes(t *testing.T) {
	ws := tiny(t)
	ws = append(ws, weight{"lm_head.weight", "F32", []int{512, 64}, find(ws, "wte.weight").data})
	dir := forged(t, ws, map[string]any{"tie_word_embeddings": false})
	direct := mustConvert(t, dir, Options{Type: "Q4_0"})
	again := mustConvert(t, mustConvert(t, dir, Options{Type: "F32"}).Name(), Options{Type: "Q4_0"})
	for _, f := range []*gguf.File{direct, again} {
		embedding, head := mustTensor(t, f, "token_embd.weight").Type, mustTensor(t, f, "output.weight").Type
		if embedding != gguf.Q4_0 || head != gguf.Q8_0 {
			t.Errorf("embedding %v, output %v", embedding, head)
		}
	}
}

func TestBlockOrder(t *testing.T) {
	var ts []output
	for _, n := range []string{"blk.10.a", "output.weight", "blk.2.b", "blk.2.a", "blk.x.a"} {
		ts = append(ts, output{info: gguf.TensorInfo{Name: n}})
	}
	slices.SortStableFunc(ts, byPlace)
	var got []string
	for _, x := range ts {
		got = append(got, x.info.Name)
	}
	if want := []string{"blk.x.a", "output.weight", "blk.2.a", "blk.2.b", "blk.10.a"}; !slices.Equal(got, want) {
		t.Errorf("order %q", got)
	}
}

func TestRequantizeQuantized(t *testing.T) {
	f := mustConvert(t, caseDir("hf-tiny"), Options{Type: "Q8_0"})
	out := t.TempDir()
	dst := filepath.Join(out, "x.gguf")
	_, err := Convert(context.Background(), f.Name(), dst, Options{Type: "Q4_0"})
	if err == nil || !strings.Contains(err.Error(), "is Q8_0 already") || !strings.Contains(err.Error(), "allow to quantise again") {
		t.Errorf("requantising without being asked: %v", err)
	}
	empty(t, out)
	g := mustConvert(t, f.Name(), Options{Type: "Q4_0", AllowRequantize: true})
	x, y := mustTensor(t, f, "blk.0.ffn_up.weight"), mustTensor(t, g, "blk.0.ffn_up.weight")
	want := make([]byte, y.Size())
	if err := new(quantize.Encoder).Convert(want, gguf.Q4_0, x.Data(), gguf.Q8_0, 64); err != nil || !bytes.Equal(y.Data(), want) {
		t.Errorf("requantised bytes differ: %v", err)
	}
	// To the same types nothing is lost, so it needs no permission.
	h := mustConvert(t, f.Name(), Options{Type: "Q8_0"})
	if !bytes.Equal(mustTensor(t, h, x.Name).Data(), x.Data()) {
		t.Error("a copy differs")
	}
}

// TestRefusedPlanClosesFiles: what a merge has opened beside the source is closed if the
// types are refused.
func TestRefusedPlanClosesFiles(t *testing.T) {
	f := mustConvert(t, caseDir("hf-tiny"), Options{Type: "Q8_0"})
	recipe, err := recipes.Parse("Q4_0")
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	opt := Options{edit: func(p *plan) error {
		p.close = append(p.close, func() error { closed = true; return nil })
		return nil
	}}
	if _, err := planGGUF(f, recipe, opt.withDefaults(recipe)); err == nil {
		t.Fatal("requantising without being asked")
	}
	if !closed {
		t.Error("a file of the plan stays open")
	}
}

// TestSplit joins a model that lies in two files.
func TestSplit(t *testing.T) {
	f := mustConvert(t, caseDir("hf-tiny"), Options{Type: "F16"})
	dir := t.TempDir()
	writePart(t, filepath.Join(dir, "m-00001-of-00002.gguf"), append(slices.Clone(f.Meta()), splitKeys(0, len(f.Tensors()))...), f.Tensors()[:5])
	writePart(t, filepath.Join(dir, "m-00002-of-00002.gguf"), splitKeys(1, len(f.Tensors())), f.Tensors()[5:])
	got := convertBytes(t, filepath.Join(dir, "m-00001-of-00002.gguf"), Options{Type: "Q5_0"})
	if want := convertBytes(t, f.Name(), Options{Type: "Q5_0"}); !bytes.Equal(got, want) {
		t.Error("a split model gives another file")
	}
}

func splitKeys(no, tensors int) []gguf.KV {
	return []gguf.KV{
		{Key: gguf.KeySplitNo, Value: uint16(no)},
		{Key: gguf.KeySplitCount, Value: uint16(2)},
		{Key: gguf.KeySplitTensors, Value: int32(tensors)},
	}
}

func writePart(t *testing.T, path string, meta []gguf.KV, tensors []*gguf.Tensor) {
	t.Helper()
	var infos []gguf.TensorInfo
	var data [][]byte
	for _, x := range tensors {
		infos, data = append(infos, x.Info()), append(data, x.Data())
	}
	b, err := gguf.Encode(meta, infos, data)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Dir(path), filepath.Base(path), b)
}

func TestBadGGUF(t *testing.T) {
	matrix := gguf.TensorInfo{Name: "blk.0.ffn_up.weight", Type: gguf.Q8_K, Shape: []int{256, 2}}
	arch := func(name, kind string) []gguf.KV {
		return []gguf.KV{{Key: "general.architecture", Value: name}, {Key: "general.type", Value: kind}, {Key: "mpt.block_count", Value: uint32(1)}}
	}
	for _, c := range []struct {
		name    string
		meta    []gguf.KV
		tensors []gguf.TensorInfo
		want    string
		is      error
	}{
		{"other family", arch("llama", "model"), []gguf.TensorInfo{matrix}, `architecture "llama"`, errors.ErrUnsupported},
		{"adapter", arch("mpt", "adapter"), []gguf.TensorInfo{matrix}, `type "adapter"`, errors.ErrUnsupported},
		{"no keys", nil, []gguf.TensorInfo{matrix}, "general.architecture", gguf.ErrFormat},
		{"no blocks", arch("mpt", "model")[:2], []gguf.TensorInfo{matrix}, "mpt.block_count", gguf.ErrFormat},
		{"no tensors", arch("mpt", "model"), nil, "no tensors", gguf.ErrFormat},
		{"a type that cannot be read", arch("mpt", "model"), []gguf.TensorInfo{matrix}, "Q8_K cannot be read yet", errors.ErrUnsupported},
	} {
		var data [][]byte
		for _, x := range c.tensors {
			n, err := x.Size()
			if err != nil {
				t.Fatal(err)
			}
			data = append(data, make([]byte, n))
		}
		b, err := gguf.Encode(c.meta, c.tensors, data)
		if err != nil {
			t.Fatal(err)
		}
		src, out := filepath.Join(t.TempDir(), "a.gguf"), t.TempDir()
		put(t, filepath.Dir(src), "a.gguf", b)
		_, err = Convert(context.Background(), src, filepath.Join(out, "x.gguf"), Options{Type: "F16", AllowRequantize: true})
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		empty(t, out)
	}
}

// TestSameFile refuses to replace the source, which is mapped.
// TestCopy writes files anew: every tensor and key is as before. From a checkpoint, the types
// are those of its weights.
func TestCopy(t *testing.T) {
	for _, typ := range []string{"F16", "Q4_K_M", "Q8_0"} {
		f, g := requantized(t, "hf-tiny", typ, "copy")
		for _, x := range f.Tensors() {
			y := mustTensor(t, g, x.Name)
			if y.Type != x.Type || !bytes.Equal(x.Data(), y.Data()) {
				t.Errorf("%s: %s differs (%v, %v)", typ, x.Name, x.Type, y.Type)
			}
		}
		if !reflect.DeepEqual(f.Meta(), g.Meta()) {
			t.Errorf("%s: the keys differ", typ)
		}
	}
	if f := mustConvert(t, caseDir("hf-bf16-sharded"), Options{Type: Copy}); mustTensor(t, f, "token_embd.weight").Type != gguf.BF16 {
		t.Errorf("the type of a checkpoint changes to %v", mustTensor(t, f, "token_embd.weight").Type)
	}
	for _, opt := range []Options{{TargetBPW: 4}, {Choices: recipes.Choices{Pure: true}}, {Imatrix: imatrix.New(8)}} {
		opt.Type = Copy
		if _, err := Convert(context.Background(), caseDir("hf-tiny"), filepath.Join(t.TempDir(), "x.gguf"), opt); err == nil {
			t.Errorf("%+v is accepted", opt)
		}
	}
}

func TestSameFile(t *testing.T) {
	f := mustConvert(t, caseDir("hf-tiny"), Options{Type: "F16"})
	before, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	_, err = Convert(context.Background(), f.Name(), f.Name(), Options{Type: "Q8_0", Force: true})
	if err == nil || !strings.Contains(err.Error(), "the same file") {
		t.Errorf("onto itself: %v", err)
	}
	if after, _ := os.ReadFile(f.Name()); !bytes.Equal(before, after) {
		t.Error("the source was changed")
	}
}
