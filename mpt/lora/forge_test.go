package lora

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"mptgo/gguf"
	"mptgo/internal/half"
)

// tensor is a tensor of a forged adapter: value i is 1 + i/8 unless it has its own.
type tensor struct {
	name   string
	shape  []int
	dtype  string // F32 if it is empty
	values []float32
}

func (x tensor) count() int {
	n := 1
	for _, d := range x.shape {
		n *= d
	}
	return n
}

func (x tensor) data() (b []byte) {
	n := x.count()
	if len(x.values) == 1 {
		n = 1
	}
	for i := range n {
		v := 1 + float32(i)/8
		if x.values != nil {
			v = x.values[i]
		}
		switch x.dtype {
		case "F64":
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(v)))
		case "F16":
			b = binary.LittleEndian.AppendUint16(b, half.F16(v))
		case "BF16":
			b = binary.LittleEndian.AppendUint16(b, half.BF16(v))
		case "I32":
			b = binary.LittleEndian.AppendUint32(b, uint32(v))
		default:
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
	}
	return b
}

// base is what PEFT puts before the names of modules.
const base = "base_model.model.transformer."

// halvesOf returns A and B of a module, named as PEFT does it.
func halvesOf(module string, rank, in, out int) []tensor {
	return []tensor{
		{name: base + module + ".lora_A.weight", shape: []int{rank, in}},
		{name: base + module + ".lora_B.weight", shape: []int{out, rank}},
	}
}

// folder makes an adapter folder with a safetensors file.
func folder(t testing.TB, config map[string]any, tensors ...tensor) string {
	t.Helper()
	dir := t.TempDir()
	b, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, configName), b)
	header, data := map[string]any{}, []byte(nil)
	for _, x := range tensors {
		dtype := x.dtype
		if dtype == "" {
			dtype = "F32"
		}
		from := len(data)
		data = append(data, x.data()...)
		header[x.name] = map[string]any{"dtype": dtype, "shape": x.shape, "data_offsets": []int{from, len(data)}}
	}
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "adapter_model.safetensors"), append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(h))), h...), data...))
	return dir
}

func put(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// toTorch replaces the safetensors file of a folder by a torch file of the same float32
// tensors.
func toTorch(t testing.TB, dir string, tensors ...tensor) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, "adapter_model.safetensors")); err != nil {
		t.Fatal(err)
	}
	var p, b bytes.Buffer
	text := func(s string) {
		p.WriteByte('X')
		binary.Write(&p, binary.LittleEndian, uint32(len(s)))
		p.WriteString(s)
	}
	number := func(n int) { p.WriteByte('J'); binary.Write(&p, binary.LittleEndian, int32(n)) }
	z := zip.NewWriter(&b)
	member := func(name string, data []byte) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	p.WriteString("\x80\x02}(")
	for i, x := range tensors {
		text(x.name)
		p.WriteString("ctorch._utils\n_rebuild_tensor_v2\n((")
		text("storage")
		p.WriteString("ctorch\nFloatStorage\n")
		text(fmt.Sprint(i))
		text("cpu")
		count, strides := x.count(), [2]int{x.shape[1], 1}
		if x.values != nil { // one value, repeated
			count, strides = 1, [2]int{}
		}
		number(count)
		p.WriteString("tQK\x00(")
		number(x.shape[0])
		number(x.shape[1])
		p.WriteString("t(")
		number(strides[0])
		number(strides[1])
		p.WriteString("t\x89NtR")
		member(fmt.Sprintf("m/data/%d", i), x.data())
	}
	p.WriteString("u.")
	member("m/data.pkl", p.Bytes())
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "adapter_model.bin"), b.Bytes())
}

// file makes an adapter file. The shape of a tensor is that of torch.
func file(t testing.TB, meta []gguf.KV, tensors ...tensor) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "adapter.gguf")
	var infos []gguf.TensorInfo
	for _, x := range tensors {
		info := gguf.TensorInfo{Name: x.name, Type: gguf.F32}
		for i := range x.shape {
			info.Shape = append(info.Shape, x.shape[len(x.shape)-1-i])
		}
		infos = append(infos, info)
	}
	w, err := gguf.Create(path, meta, infos, gguf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range tensors {
		if _, err := w.WriteAt(i, x.data(), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	return path
}

// keys are those of an adapter file, with others in their place or beside them; a nil
// value leaves a key out.
func keys(others ...gguf.KV) (meta []gguf.KV) {
	all := map[string]any{}
	order := []string{"general.architecture", "general.type", "adapter.type", "adapter.lora.alpha"}
	for i, v := range []any{"mpt", "adapter", "lora", float32(8)} {
		all[order[i]] = v
	}
	for _, kv := range others {
		if _, ok := all[kv.Key]; !ok {
			order = append(order, kv.Key)
		}
		all[kv.Key] = kv.Value
	}
	for _, key := range order {
		if all[key] != nil {
			meta = append(meta, gguf.KV{Key: key, Value: all[key]})
		}
	}
	return meta
}
