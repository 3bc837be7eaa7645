package cli

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"mptgo/mpt/checkpoint"
	"mptgo/mpt/convert"
)

// convertCase converts a reference checkpoint and returns the model file.
func convertCase(t testing.TB, name, typ string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), name+".gguf")
	if _, err := convert.Convert(context.Background(), filepath.Join(cases(t), name), out, convert.Options{Type: typ}); err != nil {
		t.Fatal(err)
	}
	return out
}

// reference is what the float64 reference implementation computes for a case.
type reference struct {
	Sequences []struct {
		Tokens   []int32 `json:"tokens"`
		Logits   string  `json:"logits"`
		FirstRow int     `json:"first_row"`
	} `json:"sequences"`
}

// TestLogitsMatchReference runs mpt logits on the tokens of a reference case and
// compares what is in the file with the reference.
func TestLogitsMatchReference(t *testing.T) {
	dir := filepath.Join(cases(t), "hf-tiny")
	var ref reference
	b, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &ref); err != nil {
		t.Fatal(err)
	}
	var lists [][]int32
	for _, s := range ref.Sequences {
		lists = append(lists, s.Tokens)
	}
	ids, out := filepath.Join(t.TempDir(), "ids.json"), filepath.Join(t.TempDir(), "out.safetensors")
	b, err = json.Marshal(lists)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ids, b, 0o666); err != nil {
		t.Fatal(err)
	}
	if code := Main(Mpt(), []string{"logits", "-m", convertCase(t, "hf-tiny", "F32"), "--tokens-file", ids, "--exact", "-o", out}); code != 0 {
		t.Fatalf("exit status %d", code)
	}

	b, err = os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if n := binary.LittleEndian.Uint64(b); n%8 != 0 {
		t.Errorf("the data begins at byte %d, not at a multiple of 8", 8+n)
	}
	got := readTensors(t, out)
	want := readTensors(t, filepath.Join(dir, "expected_logits.safetensors"))
	for i, s := range ref.Sequences {
		g := got["logits_"+string(rune('0'+i))]
		w := want[s.Logits]
		compareLogits(t, s.Logits, g[len(g)-len(w):], w)
	}
}

// compareLogits holds got against the bound of docs/numerics: 2e-5 of the
// largest logit, or of 1.
func compareLogits(t *testing.T, name string, got, want []float32) {
	t.Helper()
	top, diff := 1.0, 0.0
	for i := range want {
		top = max(top, math.Abs(float64(want[i])))
		diff = max(diff, math.Abs(float64(got[i])-float64(want[i])))
	}
	if !(diff <= 2e-5*top) {
		t.Errorf("%s: difference %g, bound %g", name, diff, 2e-5*top)
	}
}

// readTensors returns the float32 tensors of a safetensors file.
func readTensors(t *testing.T, path string) map[string][]float32 {
	t.Helper()
	c, err := checkpoint.OpenSafetensors(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	all := map[string][]float32{}
	for _, x := range c.Tensors() {
		b := make([]byte, x.Bytes())
		if err := x.ReadRows(b, 0, x.Rows()); err != nil {
			t.Fatal(err)
		}
		v := make([]float32, len(b)/4)
		for i := range v {
			v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		all[x.Name] = v
	}
	return all
}
