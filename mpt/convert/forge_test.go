package convert

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A weight is a tensor of a forged checkpoint.
type weight struct {
	name, dtype string
	shape       []int
	data        []byte
}

// weightsOf reads a checkpoint so that a test can change it.
func weightsOf(t testing.TB, dir string) []weight {
	t.Helper()
	var ws []weight
	for _, x := range openCase(t, dir).Tensors() {
		b := make([]byte, x.Bytes())
		if err := x.ReadRows(b, 0, x.Rows()); err != nil {
			t.Fatal(err)
		}
		ws = append(ws, weight{x.Name, x.DType, slices.Clone(x.Shape), b})
	}
	return ws
}

func find(ws []weight, name string) *weight {
	for i := range ws {
		if ws[i].name == name {
			return &ws[i]
		}
	}
	return nil
}

func without(ws []weight, name string) []weight {
	return slices.DeleteFunc(slices.Clone(ws), func(w weight) bool { return w.name == name })
}

// forged is a copy of hf-tiny with other weights and, perhaps, configuration.
func forged(t testing.TB, ws []weight, fields map[string]any) string {
	t.Helper()
	dir := modified(t, "hf-tiny", fields)
	header := map[string]any{}
	var data []byte
	for _, w := range ws {
		header[w.name] = map[string]any{"dtype": w.dtype, "shape": w.shape, "data_offsets": []int{len(data), len(data) + len(w.data)}}
		data = append(data, w.data...)
	}
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(h)))
	put(t, dir, "model.safetensors", append(append(b, h...), data...))
	return dir
}

func tiny(t testing.TB) []weight { return weightsOf(t, caseDir("hf-tiny")) }

// asDoubles changes a weight of float32 to float64.
func asDoubles(w *weight) {
	var b []byte
	for s := w.data; len(s) > 0; s = s[4:] {
		x := float64(math.Float32frombits(binary.LittleEndian.Uint32(s)))
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	w.dtype, w.data = "F64", b
}

func putFloat(w *weight, i int, x float32) {
	binary.LittleEndian.PutUint32(w.data[4*i:], math.Float32bits(x))
}

// hugeModel makes a checkpoint of 5 TB in a sparse file.
func hugeModel(t testing.TB) string {
	t.Helper()
	const d, f, layers = 1 << 14, 1 << 17, 256
	dir := modified(t, "hf-tiny", map[string]any{"d_model": d, "n_layers": layers, "expansion_ratio": f / d})
	header, end := map[string]any{}, 0
	for _, n := range sourceNames(layers) {
		shape := []int{d}
		switch name := n[1]; {
		case name == "wte.weight":
			shape = []int{512, d}
		case strings.HasSuffix(name, "Wqkv.weight"):
			shape = []int{3 * d, d}
		case strings.HasSuffix(name, "out_proj.weight"):
			shape = []int{d, d}
		case strings.HasSuffix(name, "up_proj.weight"):
			shape = []int{f, d}
		case strings.HasSuffix(name, "down_proj.weight"):
			shape = []int{d, f}
		}
		size := 4
		for _, n := range shape {
			size *= n
		}
		header[n[1]] = map[string]any{"dtype": "F32", "shape": shape, "data_offsets": []int{end, end + size}}
		end += size
	}
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "model.safetensors")
	if err := os.WriteFile(path, append(binary.LittleEndian.AppendUint64(nil, uint64(len(h))), h...), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(8+len(h)+end)); err != nil {
		t.Skipf("no sparse file of this size: %v", err)
	}
	return dir
}
