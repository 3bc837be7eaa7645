package convert

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mptgo/gguf"
	"mptgo/internal/check"
	"mptgo/internal/half"
	"mptgo/mpt/checkpoint"
	"mptgo/quantize"
	"mptgo/quantize/imatrix"
	"mptgo/quantize/recipes"
)

var cases = []string{
	"hf-bf16-bin", "hf-bf16-sharded", "hf-clip-6heads", "hf-extrapolate", "hf-f16-bin-sharded", "hf-legacy-bin",
	"hf-softmax-scale", "hf-tiny", "lf-alibi", "lf-embedding-fraction", "lf-storywriter-like",
}

func caseDir(name string) string { return filepath.Join("..", "testdata", "cases", name) }

// mustConvert converts into a new folder and opens the result.
func mustConvert(t testing.TB, src string, opt Options) *gguf.File {
	t.Helper()
	dst := filepath.Join(t.TempDir(), "out.gguf")
	if _, err := Convert(context.Background(), src, dst, opt); err != nil {
		t.Fatal(err)
	}
	return mustOpen(t, dst)
}

func mustOpen(t testing.TB, path string) *gguf.File {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func mustTensor(t testing.TB, f *gguf.File, name string) *gguf.Tensor {
	t.Helper()
	x, ok := f.Tensor(name)
	if !ok {
		t.Fatalf("%s: there is no tensor %s", f.Name(), name)
	}
	return x
}

func mustGet[T gguf.Value](t testing.TB, f *gguf.File, key string) T {
	t.Helper()
	v, err := gguf.Get[T](f, key)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// source name of each tensor of a tied model with fused projections, in the order
// of the file.
func sourceNames(blocks int) [][2]string {
	names := [][2]string{{"token_embd.weight", "wte.weight"}}
	for i := range blocks {
		to, from := fmt.Sprintf("blk.%d.", i), fmt.Sprintf("blocks.%d.", i)
		names = append(names,
			[2]string{to + "attn_norm.weight", from + "norm_1.weight"},
			[2]string{to + "attn_qkv.weight", from + "attn.Wqkv.weight"},
			[2]string{to + "attn_output.weight", from + "attn.out_proj.weight"},
			[2]string{to + "ffn_norm.weight", from + "norm_2.weight"},
			[2]string{to + "ffn_up.weight", from + "ffn.up_proj.weight"},
			[2]string{to + "ffn_down.weight", from + "ffn.down_proj.weight"})
	}
	return append(names, [2]string{"output_norm.weight", "norm_f.weight"})
}

// sourceFloats returns a tensor of a checkpoint as float32.
func sourceFloats(t testing.TB, ck *checkpoint.Checkpoint, name string) []float32 {
	t.Helper()
	x, ok := ck.Tensor(name)
	if !ok {
		t.Fatalf("there is no tensor %s", name)
	}
	b := make([]byte, x.Bytes())
	if err := x.ReadRows(b, 0, x.Rows()); err != nil {
		t.Fatal(err)
	}
	var v []float32
	switch x.DType {
	case "F32":
		for ; len(b) > 0; b = b[4:] {
			v = append(v, math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
	case "BF16":
		for ; len(b) > 0; b = b[2:] {
			v = append(v, math.Float32frombits(uint32(binary.LittleEndian.Uint16(b))<<16))
		}
	case "F16":
		for ; len(b) > 0; b = b[2:] {
			v = append(v, half.F16ToF32(binary.LittleEndian.Uint16(b)))
		}
	default:
		t.Fatalf("%s is %s", name, x.DType)
	}
	return v
}

func floatBytes(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func openCase(t testing.TB, dir string) *checkpoint.Checkpoint {
	t.Helper()
	ck, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ck.Close() })
	return ck
}

// TestF32 converts every reference checkpoint to F32: the tensors must be those of
// the source, in order, to the bit.
func TestF32(t *testing.T) {
	for _, name := range cases {
		t.Run(name, func(t *testing.T) { testF32(t, caseDir(name)) })
	}
	t.Run("hf-30b-shape", func(t *testing.T) { testF32(t, check.Shared(t, "testdata", "cases", "hf-30b-shape")) })
}

func testF32(t *testing.T, dir string) {
	ck := openCase(t, dir)
	f := mustConvert(t, dir, Options{Type: "f32"})
	names := sourceNames(ck.Config.NLayers)
	if len(f.Tensors()) != len(names) {
		t.Fatalf("%d tensors, want %d", len(f.Tensors()), len(names))
	}
	for i, x := range f.Tensors() {
		if x.Name != names[i][0] || x.Type != gguf.F32 {
			t.Errorf("tensor %d is %s of type %v, want %s", i, x.Name, x.Type, names[i][0])
			continue
		}
		if !bytes.Equal(x.Data(), floatBytes(sourceFloats(t, ck, names[i][1]))) {
			t.Errorf("%s differs from %s", x.Name, names[i][1])
		}
	}
}

// TestRecipes holds every tensor of every recipe against a conversion of the whole
// tensor at once.
func TestRecipes(t *testing.T) {
	for _, name := range []string{"hf-tiny", "hf-bf16-bin", "hf-f16-bin-sharded", "hf-clip-6heads"} {
		ck := openCase(t, caseDir(name))
		for _, r := range recipes.All() {
			opt := Options{Type: r.Name, Imatrix: neededImatrix(t, name, r)}
			f := mustConvert(t, caseDir(name), opt)
			if got := mustGet[uint32](t, f, "general.file_type"); got != r.FileType {
				t.Errorf("%s: %s: file type %d", name, r.Name, got)
			}
			for _, n := range sourceNames(ck.Config.NLayers) {
				x := mustTensor(t, f, n[0])
				want, weights := make([]byte, x.Size()), []float32(nil)
				if opt.Imatrix != nil && opt.Imatrix.Entries[n[0]] != nil {
					weights = opt.Imatrix.Entries[n[0]].Weights()
				}
				if err := r.Search(quantize.SearchAuto).Encode(x.Type, want, sourceFloats(t, ck, n[1]), x.Shape[0], weights); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(x.Data(), want) {
					t.Errorf("%s: %s: %s (%v) differs", name, r.Name, x.Name, x.Type)
				}
			}
		}
	}
}

// neededImatrix returns an importance matrix for a recipe that does not go without.
func neededImatrix(t *testing.T, name string, r recipes.Recipe) *imatrix.Matrix {
	t.Helper()
	if !r.NeedsImatrix("", r.Base) {
		return nil
	}
	return forgedImatrix(mustConvert(t, caseDir(name), Options{Type: "F32"}))
}

// TestContainers converts the same weights from different containers: the files
// must be equal.
func TestContainers(t *testing.T) {
	for _, pair := range [][2]string{{"hf-bf16-bin", "hf-bf16-sharded"}, {"hf-legacy-bin", "hf-tiny"}} {
		var files [2][]byte
		for i, name := range pair {
			dir := filepath.Join(t.TempDir(), "same-name")
			if err := os.CopyFS(dir, os.DirFS(caseDir(name))); err != nil {
				t.Fatal(err)
			}
			files[i] = convertBytes(t, dir, Options{Type: "Q4_0"})
		}
		if !bytes.Equal(files[0], files[1]) {
			t.Errorf("%s and %s give different files", pair[0], pair[1])
		}
	}
}

func convertBytes(t *testing.T, src string, opt Options) []byte {
	t.Helper()
	dst := filepath.Join(t.TempDir(), "out.gguf")
	if _, err := Convert(context.Background(), src, dst, opt); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(dst)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestThreads checks that the number of workers cannot be seen in the file.
func TestThreads(t *testing.T) {
	want := convertBytes(t, caseDir("hf-tiny"), Options{Type: "Q5_1", Threads: 1})
	for threads := 2; threads <= 7; threads++ {
		if got := convertBytes(t, caseDir("hf-tiny"), Options{Type: "Q5_1", Threads: threads}); !bytes.Equal(got, want) {
			t.Fatalf("%d threads: a different file", threads)
		}
	}
}

// TestMetadata holds the keys of a file against the list, in order. The vocabulary
// is the tokenizer package's concern.
func TestMetadata(t *testing.T) {
	f := mustConvert(t, caseDir("lf-storywriter-like"), Options{Type: "Q8_0"})
	var got []string
	for _, kv := range f.Meta() {
		if !strings.HasPrefix(kv.Key, "tokenizer.") {
			got = append(got, fmt.Sprintf("%s %T %v", kv.Key, kv.Value, kv.Value))
		}
	}
	want := []string{
		"general.architecture string mpt",
		"general.type string model",
		"general.name string lf-storywriter-like",
		"general.file_type uint32 7",
		"general.quantization_version uint32 2",
		"mpt.context_length uint32 256",
		"mpt.embedding_length uint32 96",
		"mpt.block_count uint32 2",
		"mpt.feed_forward_length uint32 384",
		"mpt.attention.head_count uint32 6",
		"mpt.attention.head_count_kv uint32 6",
		"mpt.attention.layer_norm_epsilon float32 1e-05",
		"mpt.attention.clamp_kqv float32 0.75",
		"mpt.attention.max_alibi_bias float32 16",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
	if n := len(mustGet[[]string](t, f, "tokenizer.ggml.tokens")); n != 512 {
		t.Errorf("%d tokens for 512 rows", n)
	}
	if g := mustConvert(t, caseDir("lf-embedding-fraction"), Options{Type: "F16"}); mustGet[float32](t, g, "mpt.attention.layer_norm_epsilon") != 1e-3 {
		t.Error("norm_eps was lost")
	} else if _, ok := g.Value("general.quantization_version"); ok {
		t.Error("a file without blocks has a version of their layout")
	}
}

func TestSummaryAndProgress(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "out.gguf")
	var last int64
	calls := 0
	s, err := Convert(context.Background(), caseDir("hf-tiny"), dst, Options{Type: "Q8_0", Threads: 3, Progress: func(done, total int64) {
		if calls++; done <= last || done > total {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last = done
	}})
	if err != nil {
		t.Fatal(err)
	}
	const parameters = 512*64 + 64 + 2*(192*64+64*64+2*256*64+2*64)
	if s.Tensors != 14 || s.Parameters != parameters || s.SourceBytes != 4*parameters || last != s.SourceBytes || calls < 14 ||
		s.Types[gguf.F32] != 5 || s.Types[gguf.Q8_0] != 9 {
		t.Errorf("%+v, last progress %d", s, last)
	}
	if info, err := os.Stat(dst); err != nil || info.Size() != s.Bytes {
		t.Errorf("%d bytes said, %v", s.Bytes, err)
	}
}

// modified is a copy of a reference checkpoint with other fields in config.json. A
// field "attn_config.x" is one of the inner object, and nil removes a field.
func modified(t testing.TB, name string, fields map[string]any) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(dir, os.DirFS(caseDir(name))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(b, &config); err != nil {
		t.Fatal(err)
	}
	for k, v := range fields {
		at := config
		if inner, ok := strings.CutPrefix(k, "attn_config."); ok {
			at, k = config["attn_config"].(map[string]any), inner
		}
		if at[k] = v; v == nil {
			delete(at, k)
		}
	}
	if b, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "config.json", b)
	return dir
}

func put(t testing.TB, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
		t.Fatal(err)
	}
}
