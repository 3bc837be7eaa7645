package mpt_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// forge makes the weights of a checkpoint.
type forge struct {
	tensors []forged
	naming  string
}

// forged is a tensor whose values its type holds exactly.
type forged struct {
	name, dtype string
	shape       []int
	values      []float32
}

// newForge returns random weights, the same for every call, of a model that is not
// quite symmetric anywhere.
func newForge(p *published) *forge {
	f := &forge{naming: p.naming}
	r := rand.New(rand.NewPCG(uint64(len(p.name)), uint64(p.vocab)))
	add := func(name string, mean, spread float64, shape ...int) {
		n := 1
		for _, d := range shape {
			n *= d
		}
		t := forged{name, p.dtype, shape, make([]float32, n)}
		for i := range t.values {
			t.values[i] = round(p.dtype, float32(mean+spread*r.NormFloat64()))
		}
		f.tensors = append(f.tensors, t)
	}
	d := p.width()
	kv := d
	if strings.Contains(p.attn, "kv_n_heads") {
		kv = 8 * headDim
	}
	bias := strings.Contains(p.config, `"no_bias": false`)
	linear := func(name string, rows, cols int) {
		add(name+".weight", 0, 0.05, rows, cols)
		if bias {
			add(name+".bias", 0, 0.05, rows)
		}
	}
	norm := func(name string, n int) {
		add(name+".weight", 1, 0.1, n)
		if bias {
			add(name+".bias", 0, 0.05, n)
		}
	}
	add("wte.weight", 0, 0.1, p.vocab, d)
	if p.alibi == 0 {
		add("wpe.weight", 0, 0.1, 64, d)
	}
	for i := range 2 {
		b := fmt.Sprintf("blocks.%d.", i)
		norm(b+"norm_1", d)
		linear(b+"attn.Wqkv", d+2*kv, d)
		if strings.Contains(p.config+p.attn, "qk_ln") {
			norm(b+"attn.q_ln", d)
			norm(b+"attn.k_ln", kv)
		}
		linear(b+"attn.out_proj", d, d)
		norm(b+"norm_2", d)
		linear(b+"ffn.up_proj", 4*d, d)
		linear(b+"ffn.down_proj", d, 4*d)
	}
	norm("norm_f", d)
	return f
}

// round returns x as a type holds it.
func round(dtype string, x float32) float32 {
	switch dtype {
	case "BF16":
		return math.Float32frombits((math.Float32bits(x) + 0x7FFF) &^ 0xFFFF)
	case "F16": // of small numbers, the eleven bits that a normal one has
		e := math.Ilogb(float64(x))
		return float32(math.Ldexp(math.Round(math.Ldexp(float64(x), 10-max(e, -14))), max(e, -14)-10))
	}
	return x
}

// bytes returns the values in the byte order of the files.
func (t *forged) bytes() (b []byte) {
	for _, x := range t.values {
		u := math.Float32bits(x)
		switch t.dtype {
		case "BF16":
			b = binary.LittleEndian.AppendUint16(b, uint16(u>>16))
		case "F16":
			b = binary.LittleEndian.AppendUint16(b, half(x))
		default:
			b = binary.LittleEndian.AppendUint32(b, u)
		}
	}
	return b
}

// half returns the bits of x, which binary16 holds exactly.
func half(x float32) uint16 {
	sign := uint16(math.Float32bits(x) >> 31 << 15)
	if x == 0 {
		return sign
	}
	e := math.Ilogb(float64(x))
	m := uint16(math.Abs(math.Ldexp(float64(x), 10-max(e, -14))))
	if e < -14 {
		return sign | m
	}
	return sign | uint16(e+15)<<10 | m&0x3FF
}

// widen makes all tensors float32.
func (f *forge) widen() {
	for i := range f.tensors {
		f.tensors[i].dtype = "F32"
	}
}

// scaleActivations adds scales of AWQ and multiplies the columns that they divide.
func (f *forge) scaleActivations() {
	for i := range 2 {
		name := fmt.Sprintf("blocks.%d.ffn.", i)
		for _, t := range f.tensors {
			if t.name != name+"down_proj.weight" {
				continue
			}
			cols := t.shape[1]
			s := forged{name + "act.scales", "F32", []int{cols}, make([]float32, cols)}
			for j := range s.values {
				s.values[j] = float32(math.Ldexp(1, j%5-2))
			}
			for j := range t.values {
				t.values[j] *= s.values[j%cols]
			}
			f.tensors = append(f.tensors, s)
		}
	}
}

// published names are with the prefix of the class, and may be the old ones.
func (f *forge) rename(name string) string {
	if f.naming == "old" {
		name = strings.NewReplacer(".norm_1.", ".ln_1.", ".norm_2.", ".ln_2.", "norm_f.", "ln_f.",
			".ffn.up_proj.", ".mlp.mlp_up.", ".ffn.down_proj.", ".mlp.mlp_down.").Replace(name)
	}
	return "transformer." + name
}

// write makes the weight files: n of safetensors or, if n is negative, -n of torch,
// with an index if there are several.
func (f *forge) write(t *testing.T, dir string, n int) {
	t.Helper()
	stem, ext, encode := "model", "safetensors", f.safetensors
	if n < 0 {
		n, stem, ext, encode = -n, "pytorch_model", "bin", f.torch
	}
	if n == 1 {
		put(t, dir, stem+"."+ext, encode(t, f.tensors))
		return
	}
	index := map[string]string{}
	for i := range n {
		part := f.tensors[i*len(f.tensors)/n : (i+1)*len(f.tensors)/n]
		name := fmt.Sprintf("%s-%05d-of-%05d.%s", stem, i+1, n, ext)
		for _, x := range part {
			index[f.rename(x.name)] = name
		}
		put(t, dir, name, encode(t, part))
	}
	b, err := json.Marshal(map[string]any{"metadata": map[string]any{"total_size": 1}, "weight_map": index})
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, stem+"."+ext+".index.json", b)
}

func (f *forge) safetensors(t *testing.T, tensors []forged) []byte {
	header, data := map[string]any{"__metadata__": map[string]string{"format": "pt"}}, []byte(nil)
	for _, x := range tensors {
		b := x.bytes()
		header[f.rename(x.name)] = map[string]any{"dtype": x.dtype, "shape": x.shape, "data_offsets": []int{len(data), len(data) + len(b)}}
		data = append(data, b...)
	}
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(h))), h...), data...)
}

// torch writes a zip file with a pickle, one storage a tensor.
func (f *forge) torch(t *testing.T, tensors []forged) []byte {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	entry := func(name string, b []byte) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: "archive/" + name, Method: zip.Store})
		if err == nil {
			_, err = w.Write(b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	p := []byte("\x80\x02ccollections\nOrderedDict\n)R(")
	text := func(s string) {
		p = append(binary.LittleEndian.AppendUint32(append(p, 'X'), uint32(len(s))), s...)
	}
	number := func(n int) { p = binary.LittleEndian.AppendUint32(append(p, 'J'), uint32(n)) }
	for i, x := range tensors {
		text(f.rename(x.name))
		p = append(p, "ctorch._utils\n_rebuild_tensor_v2\n(("...)
		text("storage")
		p = append(p, "ctorch\n"+map[string]string{"F32": "Float", "F16": "Half", "BF16": "BFloat16"}[x.dtype]+"Storage\n"...)
		text(fmt.Sprint(i))
		text("cpu")
		number(len(x.values))
		p = append(p, "tQK\x00("...)
		for _, d := range x.shape {
			number(d)
		}
		p = append(p, "t("...)
		for j := range x.shape {
			stride := 1
			for _, d := range x.shape[j+1:] {
				stride *= d
			}
			number(stride)
		}
		p = append(p, "t\x89ccollections\nOrderedDict\n)RtR"...)
		entry(fmt.Sprintf("data/%d", i), x.bytes())
	}
	entry("data.pkl", append(p, "u."...))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
