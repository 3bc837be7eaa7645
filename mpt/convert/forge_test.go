package convert

import (
	"archive/zip"
	"bytes"
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

// hugeModel is a checkpoint of 64 layers with 2^17 by 2^20 matrices, all of whose
// rows are one: a stride of 0 repeats them.
func hugeModel(t testing.TB) string {
	t.Helper()
	const d, f, layers = 1 << 17, 1 << 20, 64
	dir := modified(t, "hf-tiny", map[string]any{"d_model": d, "n_layers": layers, "expansion_ratio": 8})
	if err := os.Remove(filepath.Join(dir, "model.safetensors")); err != nil {
		t.Fatal(err)
	}
	p := []byte("\x80\x02}(")
	tensor := func(name string, shape ...int) {
		p = append(str(p, name), "ctorch._utils\n_rebuild_tensor_v2\n(("...)
		p = append(str(p, "storage"), "ctorch\nFloatStorage\n"...)
		p = str(str(p, "0"), "cpu")
		p = append(integer(p, f), "tQK\x00("...)
		for _, n := range shape {
			p = integer(p, n)
		}
		if p = append(p, "t("...); len(shape) == 2 {
			p = append(p, "K\x00"...)
		}
		p = append(p, "K\x01t\x89NtR"...)
	}
	for _, n := range sourceNames(layers) {
		switch name := n[1]; {
		case name == "wte.weight":
			tensor(name, 512, d)
		case strings.HasSuffix(name, "Wqkv.weight"):
			tensor(name, 3*d, d)
		case strings.HasSuffix(name, "out_proj.weight"):
			tensor(name, d, d)
		case strings.HasSuffix(name, "up_proj.weight"):
			tensor(name, f, d)
		case strings.HasSuffix(name, "down_proj.weight"):
			tensor(name, d, f)
		default:
			tensor(name, d)
		}
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, data := range map[string][]byte{"m/data.pkl": append(p, "u."...), "m/data/0": make([]byte, 4*f)} {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "pytorch_model.bin", b.Bytes())
	return dir
}

// str and integer append pickle instructions.
func str(p []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(append(p, 'X'), uint32(len(s))), s...)
}

func integer(p []byte, n int) []byte {
	return binary.LittleEndian.AppendUint32(append(p, 'J'), uint32(n))
}
