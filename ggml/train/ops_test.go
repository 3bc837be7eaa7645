package train

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"mptgo/ggml"
	"mptgo/gguf"
	"mptgo/internal/check"
	"mptgo/mpt/checkpoint"
)

// operation is one of the reference: what it is made of.
type operation struct {
	Name     string    `json:"name"`
	H        int       `json:"H"`
	K        int       `json:"K"`
	D        int       `json:"d"`
	Scale    float32   `json:"scale"`
	Segments []int     `json:"segments"`
	Alibi    float64   `json:"alibi_bias_max"`
	Window   int       `json:"window"`
	Cap      float32   `json:"cap"`
	Targets  []int32   `json:"targets"`
	tensors  tensorMap // y, dy, and inputs with their gradients
	engine   *Engine
}

type tensorMap map[string]Rows

// bound is how far a value may be from the reference, as a share of the largest of its tensor.
const bound = 2e-6

// compare fails unless got is near the tensor of that name.
func (o *operation) compare(t *testing.T, name string, got []float32) {
	t.Helper()
	want, ok := o.tensors[name]
	if !ok || len(want.X) != len(got) {
		t.Fatalf("%s: %d values of %s, want %d", o.Name, len(got), name, len(want.X))
	}
	largest := 0.0
	for _, w := range want.X {
		largest = max(largest, math.Abs(float64(w)))
	}
	for i, w := range want.X {
		if d := math.Abs(float64(got[i]) - float64(w)); !(d <= bound*largest) {
			t.Errorf("%s: %s[%d] is %v, want %v: off by %.2g of the largest", o.Name, name, i, got[i], w, d/largest)
			return
		}
	}
}

func (o *operation) copy(name string) Rows {
	r := o.tensors[name]
	return Rows{r.N, r.Cols, append([]float32(nil), r.X...)}
}

func (o *operation) like(name string) Rows {
	r := o.tensors[name]
	return Rows{r.N, r.Cols, make([]float32, len(r.X))}
}

// examples returns those of the rows of x.
func (o *operation) examples(x Rows) (list []Example) {
	if o.Segments == nil {
		return []Example{{0, x.N}}
	}
	at := 0
	for _, n := range o.Segments {
		list = append(list, Example{at, n})
		at += n
	}
	return list
}

// operations are the tests by the name of the operation in the reference data, which is not of this
// project's folder: an operation that the data lacks needs a test of its own.
var operations = map[string]func(*testing.T, *operation){
	"layer_norm":            testNorm,
	"layer_norm_far":        testNorm,
	"rms_norm":              testNorm,
	"gelu":                  testActivation,
	"gelu_tanh":             testActivation,
	"silu":                  testActivation,
	"quick_gelu":            testActivation,
	"relu":                  testActivation,
	"softcap":               testSoftcap,
	"attend_alibi":          testAttend,
	"attend_gqa_window_cap": testAttend,
	"attend_112":            testAttend,
	"attend_packed":         testAttend,
	"attend_plain":          testAttend,
	"rope":                  testRotary,
	"clip":                  testClip,
	"cross_entropy":         testLoss,
	"lora":                  testLowRank,
	"lora_rs":               testLowRank,
}

// TestOperations holds each operation by itself to the reference, with every tier.
func TestOperations(t *testing.T) {
	for _, isa := range ggml.Tiers() {
		pool := ggml.NewPool(2)
		defer pool.Close()
		e, err := New(pool, isa, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range readOperations(t) {
			o.engine = e
			test := operations[o.Name]
			if test == nil {
				t.Errorf("no test of %s", o.Name)
				continue
			}
			t.Run(isa+"/"+o.Name, func(t *testing.T) {
				test(t, o)
				if err := e.Err(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func readOperations(t *testing.T) (list []*operation) {
	dir := check.Shared(t, "testdata", "finetune", "ops")
	b, err := os.ReadFile(filepath.Join(dir, "ops.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Operations []*operation }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.OpenSafetensors(filepath.Join(dir, "ops.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, o := range file.Operations {
		o.tensors = tensorMap{}
		for _, name := range []string{"x", "w", "b", "a", "q", "k", "v", "y", "dy", "d_x", "d_a", "d_b", "d_q", "d_k", "d_v"} {
			if x, ok := f.Tensor(o.Name + "." + name); ok {
				o.tensors[name] = rowsOf(t, x)
			}
		}
	}
	return file.Operations
}

func rowsOf(t *testing.T, x *checkpoint.Tensor) Rows {
	b := make([]byte, x.Bytes())
	if err := x.ReadRows(b, 0, x.Rows()); err != nil {
		t.Fatal(err)
	}
	r := Rows{N: 1, X: make([]float32, len(b)/4)}
	if len(x.Shape) > 1 {
		r.N = x.Shape[0]
	}
	r.Cols = len(r.X) / r.N
	for i := range r.X {
		r.X[i] = math.Float32frombits(uint32(b[4*i]) | uint32(b[4*i+1])<<8 | uint32(b[4*i+2])<<16 | uint32(b[4*i+3])<<24)
	}
	return r
}

func testNorm(t *testing.T, o *operation) {
	m := ggml.Norm{Weight: o.tensors["w"].X, Bias: o.tensors["b"].X, Eps: 1e-5, RMS: o.Name == "rms_norm"}
	y, dx := o.like("x"), o.like("x")
	o.engine.Norm(y, o.tensors["x"], &m)
	o.compare(t, "y", y.X)
	o.engine.NormBack(dx, o.tensors["dy"], o.tensors["x"], &m)
	o.compare(t, "d_x", dx.X)
}

func testActivation(t *testing.T, o *operation) {
	y, d := o.like("x"), o.copy("dy")
	o.engine.Activate(y, o.tensors["x"], ggml.Activation(o.Name))
	o.compare(t, "y", y.X)
	o.engine.ActivateBack(d, o.tensors["x"], ggml.Activation(o.Name))
	o.compare(t, "d_x", d.X)
}

// testSoftcap tests the derivative by that of attention.
func testSoftcap(t *testing.T, o *operation) {
	y := o.copy("x")
	o.engine.vec().Softcap(y.X, 3)
	o.compare(t, "y", y.X)
	a := attend{Engine: o.engine, h: &Heads{Attention: ggml.Attention{Cap: 3}}}
	f, d := make([]float32, len(y.X)), o.copy("dy")
	a.capSlopes(f, y.X, 0, 0)
	for i := range f {
		d.X[i] *= f[i]
	}
	o.compare(t, "d_x", d.X)
}

func testAttend(t *testing.T, o *operation) {
	h := &Heads{Attention: ggml.Attention{Heads: o.H, KVHeads: o.K, Dim: o.D, Scale: o.Scale, Cap: o.Cap}}
	if o.Window > 0 {
		h.Window = o.Window + 1 // the reference skips pairs that are further apart
	}
	if o.Alibi > 0 { // the slopes of three heads are those of four, the second and the fourth first
		n := 1 << uint(math.Ceil(math.Log2(float64(o.H))))
		var odd, even []float32
		for i := range n {
			s := float32(math.Exp2(-o.Alibi * float64(i+1) / float64(n)))
			if i%2 == 1 {
				odd = append(odd, s)
			} else {
				even = append(even, s)
			}
			h.Slopes = append(h.Slopes, s)
		}
		if n != o.H {
			h.Slopes = append(odd, even...)[:o.H]
		}
	}
	q, k, v := o.tensors["q"], o.tensors["k"], o.tensors["v"]
	kv := Rows{k.N, 2 * k.Cols, make([]float32, 2*len(k.X))}
	o.engine.Copy(kv, 0, k, 0, k.Cols)
	o.engine.Copy(kv, k.Cols, v, 0, k.Cols)
	h.Q, h.KV, h.Key, h.Value = q, kv, 0, k.Cols
	examples := o.examples(q)
	y, stats := o.like("q"), Rows{q.N, 2 * o.H, make([]float32, 2*o.H*q.N)}
	o.engine.Attend(y, stats, h, examples)
	o.compare(t, "y", y.X)
	dq, dkv := o.like("q"), Rows{kv.N, kv.Cols, make([]float32, len(kv.X))}
	o.engine.AttendBack(dq, dkv, o.tensors["dy"], y, stats, h, examples)
	o.compare(t, "d_q", dq.X)
	dk, dv := o.like("k"), o.like("v")
	o.engine.Copy(dk, 0, dkv, 0, k.Cols)
	o.engine.Copy(dv, 0, dkv, k.Cols, k.Cols)
	o.compare(t, "d_k", dk.X)
	o.compare(t, "d_v", dv.X)
}

func testRotary(t *testing.T, o *operation) {
	const dim = 12
	r := ggml.Rotary{Dim: dim, Theta: 10000}
	x := o.copy("x")
	turns := Rows{x.N, dim, r.Table(x.N)}
	examples := []Example{{0, x.N}}
	o.engine.Rotate(x, examples, turns, x.Cols/dim, dim, false)
	o.compare(t, "y", x.X)
	d := o.copy("dy")
	o.engine.Rotate(d, examples, turns, x.Cols/dim, dim, true)
	o.compare(t, "d_x", d.X)
}

func testClip(t *testing.T, o *operation) {
	y, d := o.copy("x"), o.copy("dy")
	o.engine.Clamp(y, 1)
	o.compare(t, "y", y.X)
	o.engine.ClampBack(d, o.tensors["x"], 1)
	o.compare(t, "d_x", d.X)
}

func testLoss(t *testing.T, o *operation) {
	x := o.copy("x")
	nll := make([]float64, x.N)
	weight := float64(o.tensors["dy"].X[0]) / float64(x.N)
	o.engine.Losses(nll, x, o.Targets, Logits{Scale: 1}, weight)
	total := 0.0
	for _, v := range nll {
		total += v
	}
	o.compare(t, "y", []float32{float32(total / float64(x.N))})
	o.compare(t, "d_x", x.X)
}

func testLowRank(t *testing.T, o *operation) {
	a, b, w := o.tensors["a"], o.tensors["b"], o.tensors["w"]
	m, err := ggml.NewMatrix("w", gguf.F32, w.N, w.Cols, bytesOf(w.X))
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewLowRank(a.N, w.Cols, w.N, o.Scale)
	if err != nil {
		t.Fatal(err)
	}
	copy(l.A, a.X)
	for i, v := range b.X {
		l.B[i%b.Cols*b.N+i/b.Cols] = v
	}
	o.engine.Pack([]*LowRank{l})
	x := o.tensors["x"]
	y, dx := o.like("y"), o.like("x")
	z, d := Rows{x.N, l.Width(), make([]float32, x.N*l.Width())}, Rows{x.N, l.Width(), make([]float32, x.N*l.Width())}
	o.engine.MatMul(y, x, m)
	o.engine.Forward(y, z, x, l)
	o.compare(t, "y", y.X)
	o.engine.MatMulBack(dx, o.tensors["dy"], m)
	o.engine.Backward(&dx, d, o.tensors["dy"], z, x, l, []Example{{0, 3}, {3, x.N - 3}})
	o.compare(t, "d_x", dx.X)
	o.compare(t, "d_a", l.GA)
	gb := make([]float32, len(l.GB))
	for i := range gb {
		gb[i] = l.GB[i%b.Cols*b.N+i/b.Cols]
	}
	o.compare(t, "d_b", gb)
}

func bytesOf(x []float32) (b []byte) {
	for _, v := range x {
		u := math.Float32bits(v)
		b = append(b, byte(u), byte(u>>8), byte(u>>16), byte(u>>24))
	}
	return b
}
