package eval_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mptgo/internal/check"
	"mptgo/mpt"
	"mptgo/mpt/convert"
	"mptgo/mpt/eval"
)

// reference is the file of reference results.
type reference struct {
	Accuracies, Gauntlet map[string]float64
	Runs                 []map[string]any
}

func data(t testing.TB) string { return check.Shared(t, "testdata", "eval") }

func readReference(t testing.TB) (r reference) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(data(t), "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// stories returns the small model with the weights that it was trained with.
func stories(t testing.TB, opts ...mpt.Option) *mpt.Model {
	t.Helper()
	file := filepath.Join(t.TempDir(), "model.gguf")
	if _, err := convert.Convert(context.Background(), check.Shared(t, "models", "mpt-stories"), file, convert.Options{Type: "F32"}); err != nil {
		t.Fatal(err)
	}
	fast(t)
	m, err := mpt.Open(file, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// allTasks returns the tasks of the reference data.
func allTasks(t testing.TB) (all []*eval.Task) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(data(t), "lm_*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append([]string{filepath.Join(data(t), "tasks.yaml")}, files...) {
		tasks, err := eval.Load(f, eval.LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, tasks...)
	}
	return all
}

// deviation collects how far results are from the reference.
type deviation struct {
	t      *testing.T
	bound  float64 // per token, in nats
	most   float64
	tokens int
	exact  int // rows that are compared
}

func (d *deviation) loglik(where string, got, want any, tokens int) {
	off := math.Abs(got.(float64)-want.(float64)) / float64(tokens)
	d.most = max(d.most, off)
	d.tokens += tokens
	if !(off <= d.bound) {
		d.t.Errorf("%s: log-likelihood %v, want %v: %.2g per token", where, got, want, off)
	}
}

// sample compares a row with the reference.
func (d *deviation) sample(where string, s *eval.Sample, want map[string]any) {
	b, err := json.Marshal(s)
	if err != nil {
		d.t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		d.t.Fatal(err)
	}
	d.exact++
	margin, hasMargin := want["margin"].(float64)
	certain := !hasMargin || margin > 2*d.bound
	for k, w := range want {
		g := got[k]
		switch k {
		case "ids", "margin":
		case "loglik":
			d.loglik(where, g, w, int(want["tokens"].(float64)))
		case "choices":
			d.choices(where, g.([]any), w.([]any))
		case "pick", "result", "acc", "acc_norm", "acc_bytes", "output", "cleaned":
			if certain && !reflect.DeepEqual(g, w) {
				d.t.Errorf("%s: %s is %v, want %v (margin %v)", where, k, g, w, margin)
			}
		default:
			if !reflect.DeepEqual(g, w) {
				d.t.Errorf("%s: %s is %v, want %v", where, k, g, w)
			}
		}
	}
}

func (d *deviation) choices(where string, got, want []any) {
	if len(got) != len(want) {
		d.t.Fatalf("%s: %d choices, want %d", where, len(got), len(want))
	}
	for i := range want {
		g, w := got[i].(map[string]any), want[i].(map[string]any)
		for k := range w {
			if k == "loglik" {
				d.loglik(where, g[k], w[k], int(w["tokens"].(float64)))
			} else if !reflect.DeepEqual(g[k], w[k]) {
				d.t.Errorf("%s: choice %d: %s is %v, want %v", where, i, k, g[k], w[k])
			}
		}
	}
}

// dear are the runs that take most of the time: only some of their rows are asked unless
// MPTGO_EVAL_FULL is set.
var dear = map[string]int{"story_choice": 5, "story_choice_worded": 3, "story_choice_short": 5, "story_choice_many": 99, "lm_story_choice": 3}

// parted returns the tasks without the dear runs, and those alone.
func parted(all []*eval.Task) (cheap, rest []*eval.Task) {
	for _, t := range all {
		a, b := *t, *t
		a.Shots, b.Shots = nil, nil
		for _, n := range t.Shots {
			if dear[t.Label] == n && n > 0 {
				b.Shots = append(b.Shots, n)
			} else {
				a.Shots = append(a.Shots, n)
			}
		}
		if a.Shots != nil {
			cheap = append(cheap, &a)
		}
		if b.Shots != nil {
			rest = append(rest, &b)
		}
	}
	return cheap, rest
}

// All 27 runs of the reference, in float32 throughout.
func TestReference(t *testing.T) {
	ref := readReference(t)
	m := stories(t, mpt.Exact())
	cheap, rest := parted(allTasks(t))
	limit, most := 2, 0
	if testing.Short() {
		limit, most = 1, 1
	}
	if os.Getenv("MPTGO_EVAL_FULL") != "" {
		limit = 0
	}
	g, err := eval.LoadGauntlet(filepath.Join(data(t), "gauntlet.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	res, err := eval.Evaluate(context.Background(), m, cheap, eval.Options{Gauntlet: g, Limit: most})
	if err != nil {
		t.Fatal(err)
	}
	more, err := eval.Evaluate(context.Background(), m, rest, eval.Options{Limit: limit})
	if err != nil {
		t.Fatal(err)
	}
	res.Runs = append(res.Runs, more.Runs...)
	compareRuns(t, ref, res, 1e-4)
	if most > 0 {
		return // the gauntlet's figures are of all rows
	}
	for _, total := range res.Groups {
		if want, ok := ref.Accuracies[total.Name]; ok && math.Abs(total.Metric.Value-want) > 1e-9 {
			t.Errorf("%s: %v, want %v", total.Name, total.Metric.Value, want)
		}
	}
	scores := map[string]float64{}
	for _, s := range res.Gauntlet {
		scores[s.Name] = s.Value
	}
	for name, want := range ref.Gauntlet {
		if got, ok := scores[name]; !ok || math.Abs(got-want) > 1e-9 {
			t.Errorf("gauntlet: %s is %v, want %v", name, got, want)
		}
	}
	if len(scores) != len(ref.Gauntlet) {
		t.Errorf("gauntlet: %v, want %v", scores, ref.Gauntlet)
	}
}

// compareRuns compares results with the reference.
func compareRuns(t *testing.T, ref reference, res *eval.Results, bound float64) {
	t.Helper()
	runs := map[string]*eval.Outcome{}
	for _, o := range res.Runs {
		runs[o.Name] = o
	}
	d := &deviation{t: t, bound: bound}
	for _, want := range ref.Runs {
		name := want["name"].(string)
		o := runs[name]
		items := want["items"].([]any)
		if o == nil || len(o.Samples) != min(len(items), o.Rows) || o.Rows == 0 {
			t.Errorf("%s: not there, or not with all rows", name)
			continue
		}
		for i, s := range o.Samples {
			d.sample(name+", row "+string(rune('0'+i/10))+string(rune('0'+i%10)), s, items[i].(map[string]any))
		}
		if o.Rows == len(items) {
			figures(t, o, want, bound)
		}
	}
	if len(runs) != len(ref.Runs) {
		t.Errorf("%d runs, want %d", len(runs), len(ref.Runs))
	}
	t.Logf("%d rows, %d scored tokens: at most %.2g per token from the reference", d.exact, d.tokens, d.most)
}

// figures compares those of a run.
func figures(t *testing.T, o *eval.Outcome, want map[string]any, bound float64) {
	t.Helper()
	for _, m := range o.Metrics {
		w, ok := want[m.Name].(float64)
		allowed := 1e-9
		if strings.Contains(m.Name, "perplexity") || m.Name == "bits_per_byte" {
			allowed = 60 * bound * w // a word has up to that many tokens here
		}
		if !ok || math.Abs(m.Value-w) > allowed {
			t.Errorf("%s: %s is %v, want %v", o.Name, m.Name, m.Value, want[m.Name])
		}
		key := m.Name + "_stderr"
		if m.Name == "accuracy" {
			key = "stderr"
		}
		if w, ok := want[key].(float64); ok && (m.StdErr == nil || math.Abs(*m.StdErr-w) > 1e-9) {
			t.Errorf("%s: %s is %v, want %v", o.Name, key, m.StdErr, w)
		}
	}
}

// With keys and values as float16, as by default.
func TestReferenceDefault(t *testing.T) {
	if os.Getenv("MPTGO_EVAL_FULL") == "" {
		t.Skip("MPTGO_EVAL_FULL is not set")
	}
	res, err := eval.Evaluate(context.Background(), stories(t), allTasks(t), eval.Options{})
	if err != nil {
		t.Fatal(err)
	}
	compareRuns(t, readReference(t), res, 0.02)
}
