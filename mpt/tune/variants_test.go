package tune

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"mptgo/ggml"
	"mptgo/gguf"
	"mptgo/internal/forge"
	"mptgo/mpt"
	"mptgo/mpt/tune/data"
	"mptgo/quantize"
)

// variant is a member of the family: its sizes, and keys and tensors that it has besides.
type variant struct {
	name                 string
	d, heads, kv, dim, f int
	gate, bias, scales   bool
	qkNorm               int // 1: of all heads together, 2: of each
	positions            bool
	untied               bool
	typ                  gguf.Type // of the matrices, F32 unless another is named
	keys                 map[string]any
}

const variantLayers = 3

// variants are plain ones, each feature by itself, and mixtures.
var variants = []variant{
	{name: "plain", d: 32, heads: 2},
	{name: "wide heads", d: 112, heads: 1},
	{name: "80", d: 160, heads: 2},
	{name: "biases", d: 32, heads: 4, bias: true},
	{name: "learned positions", d: 32, heads: 2, positions: true, keys: map[string]any{"mpt.attention.max_alibi_bias": float32(0)}},
	{name: "MQA", d: 48, heads: 6, kv: 1},
	{name: "GQA, clip, window, cap", d: 64, heads: 4, kv: 2, keys: map[string]any{
		"mpt.attention.clamp_kqv": float32(0.8), "mpt.attention.sliding_window": uint32(5), "mpt.attn_logit_softcapping": float32(0.5)}},
	{name: "qk norm, clip", d: 32, heads: 2, qkNorm: 1, keys: map[string]any{"mpt.attention.clamp_kqv": float32(0.9)}},
	{name: "qk norm of heads, RMS", d: 32, heads: 2, kv: 1, qkNorm: 2, keys: map[string]any{
		"mpt.attention.layer_norm_epsilon": nil, "mpt.attention.layer_norm_rms_epsilon": float32(1e-5)}},
	{name: "RoPE, NoPE, temperature, GLU", d: 48, heads: 2, kv: 1, dim: 16, gate: true, keys: map[string]any{
		"mpt.attention.max_alibi_bias": float32(0), "mpt.rope.freq_base": float32(10000), "mpt.rope.dimension_count": uint32(12),
		"mpt.ext.activation": "silu", "mpt.attention.temperature_scale": float32(0.3), "mpt.attention.temperature_floor": float32(4),
		"mpt.ext.nope": []bool{false, true, false}}},
	{name: "keys of other layers", d: 32, heads: 4, kv: 2, untied: true, keys: map[string]any{
		"mpt.ext.kv_source": []int32{0, 0, 0}, "mpt.ext.activation": "gelu_tanh", "mpt.logit_scale": float32(0.5), "mpt.final_logit_softcapping": float32(3)}},
	{name: "scales, query factor", d: 32, heads: 2, scales: true, keys: map[string]any{
		"mpt.ext.query_factor": float32(4), "mpt.attention.scale": float32(0.0625), "mpt.ext.activation": "quick_gelu"}},
	{name: "Q4_0", d: 64, heads: 2, typ: gguf.Q4_0, gate: true},
	{name: "ReLU", d: 32, heads: 2, keys: map[string]any{"mpt.ext.activation": "relu"}},
	{name: "Q6_K", d: 256, heads: 2, typ: gguf.Q6_K, f: 256},
}

// vocabulary is that of the models: a token for every byte and one that ends a text.
const vocabulary = 257

// model returns a model of the variant with random weights.
func (v variant) model(t testing.TB, opts ...mpt.Option) *mpt.Model {
	t.Helper()
	f, err := gguf.Parse(v.name, v.file(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := mpt.Load(f, append([]mpt.Option{mpt.Exact(), mpt.Threads(2)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// file returns the model's file.
func (v variant) file(t testing.TB) []byte {
	v.kv, v.f = cmp.Or(v.kv, v.heads), cmp.Or(v.f, 2*v.d)
	v.dim = cmp.Or(v.dim, v.d/v.heads)
	m := forge.NewMini()
	m.Tensors, m.Data = nil, nil
	for key, value := range map[string]any{
		"embedding_length": uint32(v.d), "block_count": uint32(variantLayers), "feed_forward_length": uint32(v.f),
		"attention.head_count": uint32(v.heads), "attention.head_count_kv": uint32(v.kv), "attention.key_length": uint32(v.dim),
		"attention.value_length": uint32(v.dim),
	} {
		m.Set("mpt."+key, value)
	}
	for key, value := range v.keys {
		m.Set(key, value)
	}
	v.tensors(t, m)
	return m.File(t)
}

func (v variant) tensors(t testing.TB, m *forge.Mini) {
	r := rand.New(rand.NewPCG(uint64(len(v.name)), uint64(v.d)))
	_, rms := v.keys["mpt.attention.layer_norm_rms_epsilon"]
	matrix := func(name string, cols, rows int) {
		x := make([]float32, rows*cols)
		for i := range x {
			x[i] = float32(r.NormFloat64() / math.Sqrt(float64(cols)))
		}
		if name == "token_embd.weight" || name == "output.weight" || name == "position_embd.weight" {
			add(t, m, name, gguf.F32, x, cols, rows)
			return
		}
		add(t, m, name, v.typ, x, cols, rows)
	}
	vector := func(name string, n int, mean float64) {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(mean + 0.2*r.NormFloat64())
		}
		add(t, m, name, gguf.F32, x, n)
	}
	norm := func(name string, n int) {
		vector(name+".weight", n, 1)
		if v.bias && !rms {
			vector(name+".bias", n, 0)
		}
	}
	linear := func(name string, cols, rows int) {
		matrix(name+".weight", cols, rows)
		if v.bias {
			vector(name+".bias", rows, 0)
		}
	}
	width, keys := v.heads*v.dim, v.kv*v.dim
	sources, _ := v.keys["mpt.ext.kv_source"].([]int32)
	matrix("token_embd.weight", v.d, vocabulary)
	if v.positions {
		matrix("position_embd.weight", v.d, 64)
	}
	for i := range variantLayers {
		p := fmt.Sprintf("blk.%d.", i)
		own := sources == nil || int(sources[i]) == i
		norm(p+"attn_norm", v.d)
		norm(p+"ffn_norm", v.d)
		if own {
			linear(p+"attn_qkv", v.d, width+2*keys)
		} else {
			linear(p+"attn_q", v.d, width)
		}
		if v.qkNorm > 0 {
			norm(p+"attn_q_norm", []int{0, width, v.dim}[v.qkNorm])
			norm(p+"attn_k_norm", []int{0, keys, v.dim}[v.qkNorm])
		}
		linear(p+"attn_output", width, v.d)
		linear(p+"ffn_up", v.d, v.f)
		if v.gate {
			linear(p+"ffn_gate", v.d, v.f)
		}
		if v.scales {
			vector(p+"ffn.act.scales", v.f, 1.5)
		}
		linear(p+"ffn_down", v.f, v.d)
	}
	norm("output_norm", v.d)
	if v.untied {
		matrix("output.weight", v.d, vocabulary)
	}
}

// add adds a tensor of a type.
func add(t testing.TB, m *forge.Mini, name string, typ gguf.Type, x []float32, ne ...int) {
	t.Helper()
	info := gguf.TensorInfo{Name: name, Type: typ, Shape: ne}
	size, err := info.Size()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, size)
	if typ == gguf.F32 {
		for i, v := range x {
			binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(v))
		}
	} else {
		f, ok := quantize.Lookup(typ)
		if !ok {
			t.Fatalf("no type %v", typ)
		}
		row := len(b) / ne[1]
		for r := range ne[1] {
			f.Encode(b[r*row:(r+1)*row], x[r*ne[0]:(r+1)*ne[0]], nil)
		}
	}
	m.Add(info, b)
}

// someRows returns rows of random tokens, of several lengths, the first tokens of which are no targets.
func someRows(n int) (rows rowList) {
	r := rand.New(rand.NewPCG(5, 6))
	for i := range n {
		var row data.Row
		for k := range 3 + (i*7)%23 {
			id := int32(r.IntN(vocabulary))
			row.Tokens, row.Labels = append(row.Tokens, id), append(row.Labels, id)
			if k < i%3 {
				row.Labels[k] = noTarget
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// small is a short run of all matrices.
func small() Config {
	return Config{
		LoRA: LoRA{Rank: 3, Alpha: 5}, Optimizer: Optimizer{AdamW, 1e-2, 0.9, 0.99, 1e-8, 0.01},
		Schedule: Schedule{Name: "cosine", Warmup: 1}, MaxGradNorm: 1, Batch: 4, MaxSteps: 2, Seed: 1, Exact: true, Threads: 2,
	}
}

// trainerOf returns a trainer of m whose B are not zero.
func trainerOf(t testing.TB, m *mpt.Model, rows data.Rows, c Config) *Trainer {
	t.Helper()
	tr, err := New(m, rows, 0, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	r := rand.New(rand.NewPCG(8, 9))
	for _, mod := range tr.modules {
		for i := range mod.change.B {
			mod.change.B[i] = float32(0.1 * r.NormFloat64())
		}
	}
	tr.pack()
	return tr
}

// Every variant computes the logits that a session computes, to the bit.
func TestForward(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			for _, exact := range []bool{true, false} {
				c, opts := small(), []mpt.Option{}
				if c.Exact = exact; !exact {
					opts = append(opts, mpt.CacheType(gguf.F32))
				}
				m := v.model(t)
				if !exact {
					f, err := gguf.Parse(v.name, v.file(t))
					if err != nil {
						t.Fatal(err)
					}
					if m, err = mpt.Load(f, opts...); err != nil {
						t.Fatal(err)
					}
					defer m.Close()
				}
				tr, err := New(m, someRows(9), 0, c) // whose B are zero
				if err != nil {
					t.Fatal(err)
				}
				defer tr.Close()
				checkForward(t, m, tr, someRows(9)[3])
			}
		})
	}
}

func checkForward(t *testing.T, m *mpt.Model, tr *Trainer, row data.Row) {
	t.Helper()
	if _, _, err := tr.Evaluate(t.Context(), rowList{row}); err != nil {
		t.Fatal(err)
	}
	s, err := m.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	k := 0
	err = s.EvalAll(t.Context(), row.Tokens, func(i int, logits []float32) error {
		if i+1 >= len(row.Labels) || row.Labels[i+1] == noTarget {
			return nil
		}
		for j, got := range tr.net.w.logits.Row(k) {
			if got != logits[j] {
				return fmt.Errorf("logit %d behind token %d is %v, a session has %v", j, i, got, logits[j])
			}
		}
		k++
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Every variant, for A and B of every matrix: the change of the loss along a part of the gradient is what
// the gradient says.
func TestFiniteDifferences(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			c := small()
			c.Batch, c.Keep = 3, KeepNone
			tr := trainerOf(t, v.model(t), someRows(3), c)
			if _, err := tr.gradients(t.Context()); err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(1, 1))
			for _, m := range tr.modules {
				for half, p := range m.values() {
					checkSlope(t, tr, fmt.Sprint(m.name, " ", "AB"[half:half+1]), p, m.grads()[half], r)
				}
			}
		})
	}
}

// checkSlope changes half of the values p along their gradient, forth and back.
func checkSlope(t *testing.T, tr *Trainer, name string, p, g []float32, r *rand.Rand) {
	t.Helper()
	direction, slope := make([]float64, len(p)), 0.0
	for i := range p {
		if r.IntN(2) == 0 {
			direction[i] = float64(g[i])
			slope += direction[i] * direction[i]
		}
	}
	if slope < 1e-10 {
		t.Errorf("%s: the gradient is nearly 0: %v", name, slope)
		return
	}
	step := 1e-3 / slope // for the loss to change by so much
	step = min(step, 3e-2/math.Sqrt(slope))
	var losses [2]float64
	was := append([]float32(nil), p...)
	for k, sign := range []float64{1, -1} {
		for i := range p {
			p[i] = float32(float64(was[i]) + sign*step*direction[i])
		}
		tr.pack()
		loss, _, err := tr.Evaluate(t.Context(), tr.rows)
		if err != nil {
			t.Fatal(err)
		}
		losses[k] = loss
	}
	copy(p, was)
	tr.pack()
	got := (losses[0] - losses[1]) / (2 * step)
	bound := 1e-2
	if tr.net.c.Activation == "relu" {
		bound = 5e-2 // it has corners, and some values come across one
	}
	if d := math.Abs(got-slope) / slope; !(d < bound) {
		t.Errorf("%s: the loss changes by %v, the gradient says %v: off by %.2g", name, got, slope, d)
	}
}

// adapterOf returns the bytes of an adapter after a run.
func adapterOf(t testing.TB, tr *Trainer) []byte {
	t.Helper()
	for tr.Done() < tr.Steps() {
		if _, err := tr.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := writeTensors(&b, tr.tensors((*module).values, "")); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Every variant gives the same adapter whatever the threads, micro-batches, values kept and kernels are.
func TestSame(t *testing.T) {
	changes := map[string]func(c *Config){
		"one thread":          func(c *Config) { c.Threads = 1 },
		"three threads":       func(c *Config) { c.Threads = 3 },
		"rows by themselves":  func(c *Config) { c.MicroBatch = 1 },
		"two rows, all kept":  func(c *Config) { c.MicroBatch, c.Keep = 40, KeepAll },
		"not packed":          func(c *Config) { c.Unpacked = true },
		"nothing kept":        func(c *Config) { c.Keep = KeepNone },
		"rows alone, nothing": func(c *Config) { c.MicroBatch, c.Keep = 1, KeepNone },
	}
	for _, tier := range ggml.Tiers() {
		changes["kernels "+tier] = func(c *Config) { c.tier = tier }
	}
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			for _, exact := range []bool{true, false} {
				if !exact && v.typ == gguf.F32 {
					continue // which is exact, too
				}
				c := small()
				c.Exact, c.LoRA.Dropout = exact, 0.2
				m := v.model(t)
				want := adapterOf(t, trainerOf(t, m, someRows(9), c))
				for name, change := range changes {
					if name == "kernels generic" && v.d > 200 {
						continue // too slow; the products of all types have tests of their own
					}
					other := c
					change(&other)
					if !bytes.Equal(adapterOf(t, trainerOf(t, m, someRows(9), other)), want) {
						t.Errorf("exact %v: %s: another adapter", exact, name)
					}
				}
			}
		})
	}
}
