package eval_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mptgo/ggml"
	"mptgo/gguf"
	"mptgo/mpt"
	"mptgo/mpt/builtin"
	"mptgo/mpt/eval"
)

func opened(t testing.TB, opts ...mpt.Option) *mpt.Model {
	t.Helper()
	fast(t)
	m, err := builtin.Open(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil { // also if a session is still open
			t.Error(err)
		}
	})
	return m
}

func storyTasks(t testing.TB) []*eval.Task {
	t.Helper()
	tasks, err := eval.LoadStories()
	if err != nil {
		t.Fatal(err)
	}
	return tasks
}

// written returns what is written of results: all rows, and the report without what tells
// of time and threads.
func written(t testing.TB, res *eval.Results) string {
	t.Helper()
	var b bytes.Buffer
	if err := res.WriteSamples(&b); err != nil {
		t.Fatal(err)
	}
	rep := res.Report(eval.ModelInfo{}, eval.EngineInfo{}, nil)
	for _, f := range rep.Results {
		delete(f, "seconds")
	}
	if err := json.NewEncoder(&b).Encode(rep); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Neither threads nor batches nor the number of open sequences change a byte.
func TestSameBytes(t *testing.T) {
	want := ""
	for _, c := range []struct {
		threads int
		opt     eval.Options
	}{{1, eval.Options{}}, {3, eval.Options{Batch: 13}}, {2, eval.Options{Parallel: 1}}, {2, eval.Options{Batch: 100, Parallel: 5}}} {
		c.opt.Limit = 3
		m := opened(t, mpt.Threads(c.threads))
		res, err := eval.Evaluate(context.Background(), m, storyTasks(t), c.opt)
		if err != nil {
			t.Fatal(err)
		}
		got := written(t, res)
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("%d threads, %+v: other results", c.threads, c.opt)
		}
	}
}

// A row alone has the results that it has among others, and its own number.
func TestSamplesAlone(t *testing.T) {
	m := opened(t)
	all, err := eval.Evaluate(context.Background(), m, storyTasks(t), eval.Options{Limit: 5})
	if err != nil {
		t.Fatal(err)
	}
	some, err := eval.Evaluate(context.Background(), m, storyTasks(t), eval.Options{Samples: []int{4, 2, 4}})
	if err != nil {
		t.Fatal(err)
	}
	for k, o := range some.Runs {
		if len(o.Samples) != 2 {
			t.Fatalf("%s: %d rows, want 2", o.Name, len(o.Samples))
		}
		for j, i := range []int{2, 4} {
			a, _ := json.Marshal(o.Samples[j])
			b, _ := json.Marshal(all.Runs[k].Samples[i])
			if !bytes.Equal(a, b) {
				t.Errorf("%s: row %d alone is %s, among others %s", o.Name, i, a, b)
			}
		}
	}
}

// A journal that ends anywhere, as after a crash, is gone on with to the same bytes.
func TestResume(t *testing.T) {
	m := opened(t)
	tasks := storyTasks(t)
	opt := eval.Options{Limit: 3, Shots: []int{0}, Journal: filepath.Join(t.TempDir(), "journal"), Identity: "m"}
	res, err := eval.Evaluate(context.Background(), m, tasks, opt)
	if err != nil {
		t.Fatal(err)
	}
	want := written(t, res)
	whole, err := os.ReadFile(opt.Journal)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4)) // moments at which the process could have been killed
	header := bytes.IndexByte(whole, '\n')
	for _, cut := range []int{0, 1, header, header + 1, len(whole) - 1, len(whole), -1, -1, -1, -1, -1, -1} {
		if cut < 0 {
			cut = r.IntN(len(whole))
		}
		if cut > 0 && cut < 20 {
			cut = 0 // what is no header yet is refused, below
		}
		if err := os.WriteFile(opt.Journal, whole[:cut], 0o666); err != nil {
			t.Fatal(err)
		}
		if res, err = eval.Evaluate(context.Background(), m, tasks, opt); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if got := written(t, res); got != want {
			t.Errorf("cut at %d of %d: other results", cut, len(whole))
		}
	}
	for name, change := range map[string]func(*eval.Options){
		"model": func(o *eval.Options) { o.Identity = "n" }, "rows": func(o *eval.Options) { o.Limit = 5 },
		"examples": func(o *eval.Options) { o.Shots = []int{1} },
	} {
		other := opt
		change(&other)
		if _, err := eval.Evaluate(context.Background(), m, tasks, other); err == nil || !strings.Contains(err.Error(), "another evaluation") {
			t.Errorf("another %s goes on with the journal: %v", name, err)
		}
	}
	if err := os.WriteFile(opt.Journal, []byte("a letter\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := eval.Evaluate(context.Background(), m, tasks, opt); err == nil || !strings.Contains(err.Error(), "not a journal") {
		t.Errorf("a letter is gone on with: %v", err)
	}
}

// What is answered when an evaluation is ended is there, and is not asked again.
func TestCancel(t *testing.T) {
	m := opened(t)
	opt := eval.Options{Limit: 5, Batch: 40, Journal: filepath.Join(t.TempDir(), "journal")}
	ctx, cancel := context.WithCancel(context.Background())
	opt.Progress = func(p eval.Progress) {
		if p.AllDone == 7 {
			cancel()
		}
	}
	res, err := eval.Evaluate(ctx, m, storyTasks(t), opt)
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	n := 0
	for _, o := range res.Runs {
		n += len(o.Samples)
	}
	if n < 7 || !res.Runs[len(res.Runs)-1].Partial {
		t.Errorf("%d rows are there, 7 were answered", n)
	}
	asked := 0
	opt.Progress = func(p eval.Progress) { asked = p.Asked }
	res, err = eval.Evaluate(context.Background(), m, storyTasks(t), opt)
	if err != nil {
		t.Fatal(err)
	}
	if total := len(res.Runs) * 5; asked != total-n {
		t.Errorf("%d rows are asked, %d of %d were there", asked, n, total)
	}
}

// Two results are compared row by row, or their totals.
func TestCompare(t *testing.T) {
	m, other := opened(t), opened(t, mpt.CacheType(gguf.Q8_0))
	dir := t.TempDir()
	report := func(m *mpt.Model, name string) *eval.Report {
		res, err := eval.Evaluate(context.Background(), m, storyTasks(t), eval.Options{Limit: 5, Shots: []int{0}})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := res.WriteSamples(&b); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".jsonl"), b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
		rep := res.Report(eval.ModelInfo{}, eval.EngineInfo{}, nil)
		rep.Samples = name + ".jsonl"
		text, err := json.Marshal(rep)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".json"), text, 0o666); err != nil {
			t.Fatal(err)
		}
		again, err := eval.ReadReport(filepath.Join(dir, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		return again
	}
	a, b := report(m, "a"), report(other, "b")
	c, err := eval.Compare(a, b)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range c.Runs {
		if d.N == 0 || d.Metric != "accuracy" || d.Lost == nil || float64(*d.Gained-*d.Lost)/float64(d.N)-d.Delta > 1e-12 {
			t.Errorf("%+v", d)
		}
		if !strings.HasPrefix(d.Name, "story_qa") && (*d.MaxDiff <= 0 || *d.MaxDiff > 2 || *d.MeanDiff > *d.MaxDiff) {
			t.Errorf("%s: differences of %v, at most %v", d.Name, *d.MeanDiff, *d.MaxDiff)
		}
	}
	if !c.Paired || len(c.Runs) != len(a.Results) {
		t.Errorf("%d runs, want %d", len(c.Runs), len(a.Results))
	}
	a.Samples = ""
	if c, err = eval.Compare(a, b); err != nil || c.Paired || c.Why == "" || c.Runs[0].StdErr == nil || c.Runs[0].P != nil {
		t.Errorf("totals: %+v, %v", c, err)
	}
	for path := range a.Files {
		a.Files[path] = "other"
	}
	if _, err := eval.Compare(a, b); err == nil {
		t.Error("results of different data are compared")
	}
}

// fast skips a test that evaluates thousands of tokens where there is only plain Go, with
// which it takes many minutes. All kernels give the same bits.
func fast(t testing.TB) {
	t.Helper()
	if len(ggml.Tiers()) == 1 && testing.Short() {
		t.Skip("plain Go takes minutes")
	}
}
