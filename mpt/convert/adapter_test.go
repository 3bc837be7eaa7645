package convert

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mptgo/gguf"
	"mptgo/internal/half"
	"mptgo/quantize"
)

// adapterOf makes an adapter's folder.
func adapterOf(t testing.TB, config map[string]any, ws ...weight) string {
	t.Helper()
	dir := t.TempDir()
	header, data := map[string]any{}, []byte(nil)
	for _, w := range ws {
		header["base_model.model.transformer."+w.name] = map[string]any{"dtype": w.dtype, "shape": w.shape, "data_offsets": []int{len(data), len(data) + len(w.data)}}
		data = append(data, w.data...)
	}
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "adapter_model.safetensors", append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(h))), h...), data...))
	c, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "adapter_config.json", c)
	return dir
}

// random returns a tensor of normal values as float32.
func random(r *rand.Rand, name string, size float64, shape ...int) weight {
	n := 1
	for _, d := range shape {
		n *= d
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64() * size)
	}
	return weight{name, "F32", shape, floatBytes(v)}
}

// floats returns the values of a forged tensor of float32.
func (w weight) floats() []float32 {
	v := make([]float32, len(w.data)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(w.data[4*i:]))
	}
	return v
}

// values decodes a tensor of a file.
func values(t testing.TB, x *gguf.Tensor) []float32 {
	t.Helper()
	v := make([]float32, x.Rows()*x.Shape[0])
	if err := quantize.DecodeRow(x.Type, v, x.Data()); err != nil {
		t.Fatal(err)
	}
	return v
}

// An adapter file has the bytes of the source under the names of the model's tensors;
// where one alpha does not say all scales, B makes up for it.
func TestAdapter(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	a, b := random(r, "blocks.0.attn.Wqkv.lora_A.weight", 1, 4, 64), random(r, "blocks.0.attn.Wqkv.lora_B.weight", 1, 192, 4)
	c, d := random(r, "blocks.1.ffn.up_proj.lora_A.weight", 1, 2, 64), random(r, "blocks.1.ffn.up_proj.lora_B.weight", 1, 256, 2)
	e, g := random(r, "blocks.1.ffn.down_proj.lora_A.weight", 1, 4, 256), random(r, "blocks.1.ffn.down_proj.lora_B.weight", 1, 64, 4)
	dir := adapterOf(t, map[string]any{"r": 4, "lora_alpha": 6, "use_rslora": true, "base_model_name_or_path": "a/base",
		"rank_pattern": map[string]any{"up_proj": 2}}, a, b, c, d, e, g)
	f := mustConvert(t, dir, Options{})
	if got := mustGet[float32](t, f, "adapter.lora.alpha"); got != 12 { // 6/sqrt(4) = 12/4
		t.Errorf("alpha %v", got)
	}
	for key, want := range map[string]string{"general.type": "adapter", "general.architecture": "mpt", "adapter.type": "lora", "general.base_model.0.name": "a/base"} {
		if got := mustGet[string](t, f, key); got != want {
			t.Errorf("%s is %q", key, got)
		}
	}
	for name, w := range map[string]weight{"blk.0.attn_qkv.weight.lora_a": a, "blk.0.attn_qkv.weight.lora_b": b, "blk.1.ffn_up.weight.lora_a": c,
		"blk.1.ffn_down.weight.lora_a": e, "blk.1.ffn_down.weight.lora_b": g} {
		x := mustTensor(t, f, name)
		if string(x.Data()) != string(w.data) || x.Shape[0] != w.shape[1] || x.Rows() != w.shape[0] {
			t.Errorf("%s: other bytes", name)
		}
	}
	factor := float32(6 / math.Sqrt(2) * 2 / 12)
	for i, v := range values(t, mustTensor(t, f, "blk.1.ffn_up.weight.lora_b")) {
		if want := d.floats()[i] * factor; v != want {
			t.Fatalf("value %d is %v, want %v", i, v, want)
		}
	}
}

// Types stay as they are, or become the one asked for.
func TestAdapterTypes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	make := func(change func(w *weight)) string {
		a, b := random(r, "blocks.0.attn.Wqkv.lora_A.weight", 1, 8, 64), random(r, "blocks.0.attn.Wqkv.lora_B.weight", 1, 192, 8)
		change(&a)
		change(&b)
		return adapterOf(t, map[string]any{}, a, b)
	}
	same := make(func(*weight) {})
	half := make(func(w *weight) {
		data := []byte(nil)
		for _, v := range w.floats() {
			data = binary.LittleEndian.AppendUint16(data, half.BF16(v))
		}
		w.dtype, w.data = "BF16", data
	})
	for _, c := range []struct {
		dir, typ string
		a, b     gguf.Type
	}{
		{same, "", gguf.F32, gguf.F32}, {half, "", gguf.BF16, gguf.BF16}, {make(asDoubles), "", gguf.F32, gguf.F32},
		{same, "f16", gguf.F16, gguf.F16}, {half, "F32", gguf.F32, gguf.F32}, {same, "Q8_0", gguf.Q8_0, gguf.F16},
	} {
		f := mustConvert(t, c.dir, Options{Type: c.typ})
		if a, b := mustTensor(t, f, "blk.0.attn_qkv.weight.lora_a").Type, mustTensor(t, f, "blk.0.attn_qkv.weight.lora_b").Type; a != c.a || b != c.b {
			t.Errorf("--type %q: %v and %v, want %v and %v", c.typ, a, b, c.a, c.b)
		}
	}
}

// Separate projections become one where all are there; else they keep their names.
func TestAdapterOfSeparateProjections(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var ws []weight
	for _, m := range []struct {
		name      string
		rows, num int
	}{{"Wq", 64, 2}, {"Wk", 16, 1}, {"Wv", 16, 3}} {
		ws = append(ws, random(r, "blocks.0.attn."+m.name+".lora_A.weight", 1, m.num, 64), random(r, "blocks.0.attn."+m.name+".lora_B.weight", 1, m.rows, m.num))
	}
	config := map[string]any{"r": 2, "lora_alpha": 3, "rank_pattern": map[string]any{"Wk": 1, "Wv": 3}}
	f := mustConvert(t, adapterOf(t, config, ws...), Options{})
	if len(f.Tensors()) != 2 {
		t.Fatalf("%d tensors", len(f.Tensors()))
	}
	alpha := mustGet[float32](t, f, "adapter.lora.alpha")
	a, b := values(t, mustTensor(t, f, "blk.0.attn_qkv.weight.lora_a")), values(t, mustTensor(t, f, "blk.0.attn_qkv.weight.lora_b"))
	row, before := 0, 0
	for i := 0; i < len(ws); i += 2 {
		rank, rows := ws[i].shape[0], ws[i+1].shape[0]
		for r := range rows {
			for c := range 64 {
				got, want := 0.0, 0.0
				for k := range 6 {
					got += float64(alpha) / 6 * float64(b[(row+r)*6+k]) * float64(a[k*64+c])
				}
				for k := range rank {
					want += 3 / float64(rank) * float64(ws[i+1].floats()[r*rank+k]) * float64(ws[i].floats()[k*64+c])
				}
				if math.Abs(got-want) > 1e-5 { // a few roundings of values up to 30
					t.Fatalf("row %d, column %d: %v, want %v", row+r, c, got, want)
				}
			}
		}
		row, before = row+rows, before+rank
	}
	var notes []string
	f = mustConvert(t, adapterOf(t, config, ws[:2]...), Options{Logf: func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }})
	mustTensor(t, f, "blk.0.attn_q.weight.lora_a")
	if len(notes) != 1 || !strings.Contains(notes[0], "llama.cpp") {
		t.Errorf("notes: %q", notes)
	}
}

// DoRA and whole tensors are merged by their definitions.
func TestMergeDoRAAndWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	const rank, in, out = 3, 256, 64
	a, b := random(r, "blocks.1.ffn.down_proj.lora_A.weight", 0.1, rank, in), random(r, "blocks.1.ffn.down_proj.lora_B.weight", 0.1, out, rank)
	m := random(r, "blocks.1.ffn.down_proj.lora_magnitude_vector", 1, out)
	norm, wte := random(r, "norm_f.weight", 1, 64), random(r, "wte.weight", 1, 512, 64)
	dir := adapterOf(t, map[string]any{"r": rank, "lora_alpha": 6, "use_dora": true, "modules_to_save": []string{"norm_f", "wte"}}, a, b, m, norm, wte)
	w := sourceFloats(t, openCase(t, caseDir("hf-tiny")), "blocks.1.ffn.down_proj.weight")
	for _, base := range []string{caseDir("hf-tiny"), mustConvert(t, caseDir("hf-tiny"), Options{Type: "F32"}).Name()} {
		dst := filepath.Join(t.TempDir(), "merged.gguf")
		if _, err := Merge(context.Background(), base, []AdapterFile{{dir, 1}}, dst, Options{}); err != nil {
			t.Fatal(err)
		}
		f := mustOpen(t, dst)
		got := values(t, mustTensor(t, f, "blk.1.ffn_down.weight"))
		for i := range out {
			row, sum := make([]float64, in), 0.0
			for c := range row {
				row[c] = float64(w[i*in+c])
				for k := range rank {
					row[c] += 2 * float64(b.floats()[i*rank+k]) * float64(a.floats()[k*in+c])
				}
				sum += row[c] * row[c]
			}
			for c := range row {
				want := float64(m.floats()[i]) / math.Sqrt(sum) * row[c]
				if math.Abs(want-float64(got[i*in+c])) > 1e-6 {
					t.Fatalf("row %d, column %d: %v, want %v", i, c, got[i*in+c], want)
				}
			}
		}
		if string(mustTensor(t, f, "output_norm.weight").Data()) != string(norm.data) || string(mustTensor(t, f, "token_embd.weight").Data()) != string(wte.data) {
			t.Error("whole tensors are not those of the adapter")
		}
		old := sourceFloats(t, openCase(t, caseDir("hf-tiny")), "wte.weight")
		if string(mustTensor(t, f, "output.weight").Data()) != string(floatBytes(old)) {
			t.Error("the output matrix is not that of the base model")
		}
	}
}

// Scales that a file has in its weights stay there.
func TestMergeFoldedScales(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	norm := random(r, "norm_f.weight", 1, 64)
	dir := adapterOf(t, map[string]any{}, norm)
	base := modified(t, "hf-tiny", map[string]any{"logit_scale": 0.25})
	for _, base := range []string{base, mustConvert(t, base, Options{Type: "F32"}).Name()} {
		dst := filepath.Join(t.TempDir(), "merged.gguf")
		if _, err := Merge(context.Background(), base, []AdapterFile{{dir, 1}}, dst, Options{}); err != nil {
			t.Fatal(err)
		}
		for i, v := range values(t, mustTensor(t, mustOpen(t, dst), "output_norm.weight")) {
			if want := norm.floats()[i] / 4; v != want {
				t.Fatalf("value %d is %v, want %v", i, v, want)
			}
		}
	}
}

// A file need not say how many heads of keys there are: the size of the fused matrix does.
func TestMergeWithoutKeyHeads(t *testing.T) {
	ws := tiny(t)
	for i := range ws {
		if w := &ws[i]; strings.HasSuffix(w.name, "attn.Wqkv.weight") {
			rows := 64 + 2*16 // 4 heads of 16, one of keys and one of values
			w.data, w.shape = w.data[:rows*len(w.data)/w.shape[0]], []int{rows, w.shape[1]}
		}
	}
	base := mustConvert(t, forged(t, ws, map[string]any{"attn_config": map[string]any{"alibi": true, "attn_type": "multiquery_attention"}}), Options{Type: "F32"})
	silent := filepath.Join(t.TempDir(), "silent.gguf")
	put(t, filepath.Dir(silent), filepath.Base(silent), encodedWithout(t, base, "mpt.attention.head_count_kv"))
	r := rand.New(rand.NewPCG(1, 1))
	dir := adapterOf(t, map[string]any{}, random(r, "blocks.0.attn.Wv.lora_A.weight", 1, 8, 64), random(r, "blocks.0.attn.Wv.lora_B.weight", 1, 16, 8))
	const name = "blk.0.attn_qkv.weight"
	var merged [2][]byte
	for i, from := range []string{base.Name(), silent} {
		dst := filepath.Join(t.TempDir(), "merged.gguf")
		if _, err := Merge(context.Background(), from, []AdapterFile{{dir, 1}}, dst, Options{}); err != nil {
			t.Fatal(err)
		}
		merged[i] = mustTensor(t, mustOpen(t, dst), name).Data()
	}
	if !bytes.Equal(merged[0], merged[1]) {
		t.Error("the merged models differ")
	}
	values := 80 * 64 * 4 // of queries and keys, before those of the values
	if plain := mustTensor(t, base, name).Data(); !bytes.Equal(merged[0][:values], plain[:values]) || bytes.Equal(merged[0][values:], plain[values:]) {
		t.Error("other rows than those of the values are changed")
	}
}

// encodedWithout returns a model file like f without one of its keys.
func encodedWithout(t testing.TB, f *gguf.File, key string) []byte {
	t.Helper()
	var infos []gguf.TensorInfo
	var data [][]byte
	for _, x := range f.Tensors() {
		infos, data = append(infos, x.Info()), append(data, x.Data())
	}
	b, err := gguf.Encode(slices.DeleteFunc(f.ModelMeta(), func(kv gguf.KV) bool { return kv.Key == key }), infos, data)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Without a type a merged model has those of its base.
func TestMergeTypes(t *testing.T) {
	lora := AdapterFile{caseDir("lora-all"), 1}
	for _, c := range []struct{ base, typ, want string }{
		{caseDir("hf-tiny"), "", "F32"}, {caseDir("hf-bf16-bin"), "", "BF16"}, {caseDir("hf-f16-bin-sharded"), "", "F16"}, {caseDir("hf-tiny"), "Q8_0", "Q8_0"},
		{mustConvert(t, caseDir("hf-tiny"), Options{Type: "Q5_0"}).Name(), "", "Q5_0"},
		{mustConvert(t, caseDir("hf-tiny"), Options{Type: "F16"}).Name(), "Q4_0", "Q4_0"},
	} {
		dst := filepath.Join(t.TempDir(), "merged.gguf")
		if _, err := Merge(context.Background(), c.base, []AdapterFile{lora}, dst, Options{Type: c.typ}); err != nil {
			t.Fatal(err)
		}
		if got := mustTensor(t, mustOpen(t, dst), "blk.1.ffn_up.weight").Type.String(); got != c.want {
			t.Errorf("%s to %q: %s, want %s", c.base, c.typ, got, c.want)
		}
	}
}

// What fails leaves nothing behind.
func TestBadMerges(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	pair := func(module string, in, out int) []weight {
		return []weight{random(r, module+".lora_A.weight", 1, 8, in), random(r, module+".lora_B.weight", 1, out, 8)}
	}
	nan := pair("blocks.0.attn.Wqkv", 64, 192)
	putFloat(&nan[1], 17, float32(math.NaN()))
	named := map[string]any{"base_model_name_or_path": "mosaicml/mpt-30b"}
	whole := adapterOf(t, map[string]any{}, random(r, "norm_f.weight", 1, 64))
	q8 := mustConvert(t, caseDir("hf-tiny"), Options{Type: "Q8_0"}).Name()
	for _, c := range []struct {
		name, base, adapter string
		scale               float32
		typ, want           string
	}{
		{"no base", "nowhere", caseDir("lora-all"), 1, "", "nowhere"},
		{"no adapter", caseDir("hf-tiny"), "nowhere", 1, "", "lora: stat nowhere"},
		{"adapter first", caseDir("lora-all"), caseDir("lora-all"), 1, "", "an adapter, not a model: the model comes first"},
		{"shape", caseDir("hf-tiny"), adapterOf(t, named, pair("blocks.0.attn.Wqkv", 64, 190)...), 1, "",
			"its change of blk.0.attn_qkv.weight is for 190 rows of 64, the model has 192 rows of 64: it was made for mosaicml/mpt-30b, the model is hf-tiny"},
		{"block", caseDir("hf-tiny"), adapterOf(t, named, pair("blocks.2.attn.Wqkv", 64, 192)...), 1, "", "blk.2.attn_qkv.weight, which the model does not have: it was made for"},
		{"gate", caseDir("hf-tiny"), adapterOf(t, map[string]any{}, pair("blocks.1.ffn.gate_proj", 64, 256)...), 1, "", "blk.1.ffn_gate.weight, which the model does not have"},
		{"norm", caseDir("hf-tiny"), adapterOf(t, map[string]any{}, random(r, "norm_f.weight", 1, 63)), 1, "", "norm_f.weight has 1 x 63 values, the model's 64"},
		{"NaN", caseDir("hf-tiny"), adapterOf(t, map[string]any{}, nan...), 1, "", "row 2, column 1 is NaN"},
		{"scale", caseDir("hf-tiny"), caseDir("lora-all"), float32(math.Inf(1)), "", "a scale of +Inf"},
		{"scaled whole", caseDir("hf-tiny"), whole, 0.5, "", "have no scale but 1, not 0.5"},
		{"type", caseDir("hf-tiny"), caseDir("lora-all"), 1, "Q3", `unknown recipe "Q3"`},
		{"requantised", q8, caseDir("lora-all"), 1, "Q4_0", "is Q8_0 already"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			_, err := Merge(context.Background(), c.base, []AdapterFile{{c.adapter, c.scale}}, filepath.Join(dir, "merged.gguf"), Options{Type: c.typ})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			empty(t, dir)
		})
	}
	_, err := Convert(context.Background(), whole, filepath.Join(t.TempDir(), "a.gguf"), Options{})
	if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "mpt merge-lora") {
		t.Errorf("a whole tensor: %v", err)
	}
	if _, err := os.Stat(filepath.Join(whole, "adapter_model.safetensors")); err != nil {
		t.Error(err)
	}
}
