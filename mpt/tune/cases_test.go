package tune

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mptgo/gguf"
	"mptgo/internal/check"
	"mptgo/mpt"
	"mptgo/mpt/checkpoint"
	"mptgo/mpt/convert"
	"mptgo/quantize"
	"mptgo/quantize/recipes"
)

// reference is what a case's run gave in float64 PyTorch.
type reference struct {
	Base          string    `json:"base"`
	Losses        []float64 `json:"losses"`
	GradNorms     []float64 `json:"grad_norms"`
	TargetTokens  []int     `json:"target_tokens"`
	LRs           []float64 `json:"lrs"`
	MeanOfMeans   []float64 `json:"mean_of_means"`
	EvalBefore    float64   `json:"eval_before"`
	EvalAfter     float64   `json:"eval_after"`
	ConvertOption string    `json:"convert"`
}

// caseNames are the cases of the reference data.
var caseNames = []string{"adamw-cosine-accumulate", "lion-linear", "packed", "prompt-masked", "q4-grid"}

// trainingCase is a case with its model's file.
type trainingCase struct {
	dir, file string
	plan      *Plan
	want      reference
}

func loadCase(t testing.TB, name string) *trainingCase {
	t.Helper()
	c := &trainingCase{dir: check.Shared(t, "testdata", "finetune", name)}
	plan, err := ReadPlan(filepath.Join(c.dir, "train.json"))
	if err != nil {
		t.Fatal(err)
	}
	c.plan = plan
	b, err := os.ReadFile(filepath.Join(c.dir, "train.json"))
	if err == nil {
		err = json.Unmarshal(b, &c.want)
	}
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(c.dir, "base")
	if c.want.Base != "base/" {
		base = check.Shared(t, "testdata", "cases", c.want.Base)
	}
	c.file = filepath.Join(t.TempDir(), "base.gguf")
	opt := convert.Options{Type: "F32"}
	if strings.Contains(c.want.ConvertOption, "Q4_0") {
		f32 := gguf.F32
		opt = convert.Options{Type: "Q4_0", Search: quantize.SearchReference, Choices: recipes.Choices{Pure: true, Embedding: &f32}}
	}
	if _, err := convert.Convert(context.Background(), base, c.file, opt); err != nil {
		t.Fatal(err)
	}
	return c
}

// trainer returns one that begins with the adapter of the case.
func (c *trainingCase) trainer(t testing.TB, change func(*Config)) *Trainer {
	t.Helper()
	config, rows := c.plan.Config()
	config.Exact, config.Threads = true, 2
	if change != nil {
		change(&config)
	}
	m, err := mpt.Open(c.file)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := New(m, rows, 256, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
		m.Close()
	})
	if err := tr.loadAdapter(filepath.Join(c.dir, "init")); err != nil {
		t.Fatal(err)
	}
	return tr
}

// tensorsOf returns the tensors of a file of the reference, by name without endings.
func tensorsOf(t testing.TB, path string) map[string][]float64 {
	t.Helper()
	f, err := checkpoint.OpenSafetensors(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string][]float64{}
	for _, x := range f.Tensors() {
		b := make([]byte, x.Bytes())
		if err := x.ReadRows(b, 0, x.Rows()); err != nil {
			t.Fatal(err)
		}
		var v []float64
		for ; len(b) > 0 && x.DType == "F64"; b = b[8:] {
			v = append(v, math.Float64frombits(binary.LittleEndian.Uint64(b)))
		}
		for ; len(b) > 0; b = b[4:] {
			v = append(v, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
		}
		all[strings.TrimSuffix(strings.TrimSuffix(x.Name, ".weight"), ".default")] = v
	}
	return all
}

// relative returns the largest difference of got and want as a share of the largest of want, and the share
// of values that differ by more than bound.
func relative(got []float32, want []float64, bound float64) (worst, beyond float64) {
	largest := 0.0
	for _, w := range want {
		largest = max(largest, math.Abs(w))
	}
	for i, w := range want {
		d := math.Abs(float64(got[i])-w) / largest
		worst = max(worst, d)
		if d > bound {
			beyond++
		}
	}
	return worst, beyond / float64(len(want))
}

// compare compares tensors of a trainer with those of a file and returns the largest difference. A share
// of the values may be further away.
func compare(t *testing.T, what string, list []tensor, path string, bound, share float64) {
	t.Helper()
	want, most := tensorsOf(t, path), 0.0
	for _, x := range list {
		v := x.values
		if x.transposed {
			v = make([]float32, len(x.values))
			for i := range v {
				v[i] = x.values[i%x.cols*x.rows+i/x.cols]
			}
		}
		name := strings.TrimSuffix(x.name, ".weight")
		w := want[name]
		if len(w) != len(v) {
			t.Fatalf("%s of %s: %d values, want %d", what, name, len(v), len(w))
		}
		delete(want, name)
		worst, beyond := relative(v, w, bound)
		most = max(most, worst)
		if beyond > share {
			t.Errorf("%s of %s: off by %.2g of the largest, more than %.2g (share %v)", what, name, worst, bound, beyond)
		}
	}
	if len(want) > 0 {
		t.Errorf("%s: %d tensors are missing", what, len(want))
	}
	t.Logf("%s: off by %.2g", what, most)
}

func near(t *testing.T, what string, got, want, bound float64) {
	t.Helper()
	if d := math.Abs(got-want) / math.Abs(want); !(d <= bound) {
		t.Errorf("%s is %v, want %v: off by %.2g, more than %.2g", what, got, want, d, bound)
	}
}

// Every case: gradients of the first step, losses, norms and rates of all steps, the adapter at the end.
func TestCases(t *testing.T) {
	for _, name := range caseNames {
		t.Run(name, func(t *testing.T) {
			c := loadCase(t, name)
			tr := c.trainer(t, nil)
			lossBound, share := 1e-5, 0.0
			if strings.HasPrefix(name, "lion") { // a step has the same size everywhere, also where the gradient is nearly 0
				lossBound, share = 1e-4, 1e-3
			}
			before, _, err := tr.Evaluate(t.Context(), c.plan.Eval())
			if err != nil {
				t.Fatal(err)
			}
			near(t, "evaluation before", before, c.want.EvalBefore, 1e-5)
			if _, err := tr.gradients(t.Context()); err != nil {
				t.Fatal(err)
			}
			compare(t, "gradient", tr.tensors((*module).grads, ""), filepath.Join(c.dir, "grads.safetensors"), 1e-5, 0)
			for k, want := range c.want.Losses {
				r, err := tr.Step(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				near(t, "loss", r.Loss, want, lossBound)
				near(t, "norm", r.Norm, c.want.GradNorms[k], lossBound)
				if math.Abs(r.LR-c.want.LRs[k]) > 1e-12 || r.Targets != c.want.TargetTokens[k] {
					t.Errorf("step %d: rate %v, want %v; %d targets, want %d", k, r.LR, c.want.LRs[k], r.Targets, c.want.TargetTokens[k])
				}
			}
			compare(t, "adapter", tr.tensors((*module).values, ""), filepath.Join(c.dir, "final", "adapter_model.safetensors"), 5e-5, share)
			after, _, err := tr.Evaluate(t.Context(), c.plan.Eval())
			if err != nil {
				t.Fatal(err)
			}
			near(t, "evaluation after", after, c.want.EvalAfter, lossBound)
		})
	}
}

// With activations of 8 bits the gradient of a quantised model has nearly the direction of the exact one, and
// training goes the same way.
func TestFast(t *testing.T) {
	c := loadCase(t, "q4-grid")
	exact, fast := c.trainer(t, nil), c.trainer(t, func(c *Config) { c.Exact = false })
	var dot, a, b float64
	for _, tr := range []*Trainer{exact, fast} {
		if _, err := tr.gradients(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for k, m := range exact.modules {
		for half, g := range m.grads() {
			for i, v := range g {
				w := fast.modules[k].grads()[half][i]
				dot, a, b = dot+float64(v)*float64(w), a+float64(v)*float64(v), b+float64(w)*float64(w)
			}
		}
	}
	if cosine := dot / math.Sqrt(a*b); cosine < 0.999 || a == b {
		t.Errorf("the cosine of the gradient with the exact one is %v", cosine)
	} else {
		t.Logf("the cosine of the gradient with the exact one is %v", cosine)
	}
	for _, want := range c.want.Losses {
		r, err := fast.Step(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		near(t, "loss", r.Loss, want, 5e-3)
	}
}
