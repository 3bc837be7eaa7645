package bench

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"mptgo/mpt"
	"mptgo/mpt/builtin"
)

// story is the built-in model as a subject; opened counts how often it was
// opened.
func story(opened *int) Subject {
	return Subject{Name: "story", Open: func(threads int) (*mpt.Model, error) {
		*opened++
		return builtin.Open(mpt.Threads(threads), mpt.BatchSize(4))
	}}
}

func TestRun(t *testing.T) {
	var opened int
	var order []string
	opt := Options{
		Prompts: []int{3}, Generations: []int{2}, Pairs: [][2]int{{2, 1}}, Depths: []int{0, 5},
		Sequences: []int{1, 2}, Threads: []int{1, 2}, Load: true, Profile: true, Repetitions: 2,
		Progress: func(_, step string) { order = append(order, step) },
	}
	results, err := Run(context.Background(), []Subject{story(&opened)}, opt)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"pp3", "tg2", "tg2 x2", "pp2+tg1", "pp3 @ d5", "tg2 @ d5", "tg2 x2 @ d5", "pp2+tg1 @ d5", "load"}
	if len(results) != 2*len(names) {
		t.Fatalf("%d results, want %d", len(results), 2*len(names))
	}
	for i, r := range results {
		if r.Test != names[i%len(names)] || r.Threads != 1+i/len(names) || r.Model != "story" || r.Type != "Q5_0" {
			t.Errorf("result %d is %q of %q (%s) with %d threads", i, r.Test, r.Model, r.Type, r.Threads)
		}
		checkFigures(t, r)
	}
	if want := 2 + 2*3; opened != want {
		t.Errorf("opened %d times, want %d: once for each number of threads and for each load", opened, want)
	}
	first, second := slices.Index(order, "pp3: 1 of 2"), slices.Index(order, "pp3: 2 of 2")
	if first < 0 || second < first || !slices.Contains(order[first:second], "load: 1 of 2") {
		t.Errorf("the tests do not take turns: %q", order)
	}
}

func checkFigures(t *testing.T, r Result) {
	t.Helper()
	if len(r.Samples) != 2 || !(0 < r.Min && r.Min <= r.Median && r.Median <= r.Max) {
		t.Errorf("%s: %+v", r.Test, r)
	}
	alone := (r.Prompt == 0) != (r.Generate == 0) && r.Test != "load"
	if (r.BytesPerSecond > 0) != (alone && r.Generate > 0) || (r.MACsPerSecond > 0) != (alone && r.Prompt > 0) {
		t.Errorf("%s: %v bytes/s, %v MACs/s", r.Test, r.BytesPerSecond, r.MACsPerSecond)
	}
	if (r.Load != nil) != (r.Test == "load") || (r.Profile != nil) != alone {
		t.Errorf("%s: load %v, profile %v", r.Test, r.Load, r.Profile)
	}
	for _, o := range r.Profile {
		if o.Name == "norm result_norm" && o.Runs != max(1, r.Generate) {
			t.Errorf("%s: the profile counts %d evaluations", r.Test, o.Runs)
		}
	}
}

func TestRunErrors(t *testing.T) {
	var opened int
	failed := errors.New("no such model")
	broken := Subject{Name: "broken", Open: func(int) (*mpt.Model, error) { return nil, failed }}
	_, err := Run(context.Background(), []Subject{story(&opened), broken}, Options{Prompts: []int{1}})
	if !errors.Is(err, failed) {
		t.Errorf("%v, want %v", err, failed)
	}
	own := Options{Generations: []int{1}, OwnAdapters: true}
	if _, err := Run(context.Background(), []Subject{story(&opened)}, own); err == nil || !strings.Contains(err.Error(), "no adapters") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, depth := range []int{0, 3} {
		opt := Options{Generations: []int{1}, Depths: []int{depth}, Sequences: []int{2}}
		if _, err := Run(ctx, []Subject{story(&opened)}, opt); !errors.Is(err, context.Canceled) {
			t.Errorf("depth %d: %v after cancel", depth, err)
		}
	}
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		opt  Options
		want string
	}{
		{Options{Prompts: []int{512, 4096}, Generations: []int{64}}, "pp512, pp4096, tg64"},
		{Options{Generations: []int{64}, Depths: []int{0, 4096, 0}}, "tg64, tg64 @ d4096"},
		{Options{Generations: []int{8}, Sequences: []int{1, 4}, Depths: []int{7}}, "tg8 @ d7, tg8 x4 @ d7"},
		{Options{Prompts: []int{9}, Sequences: []int{4}}, "pp9"},
		{Options{Pairs: [][2]int{{512, 64}}}, "pp512+tg64"},
		{Options{Prompts: []int{9}, Generations: []int{8}, Sequences: []int{1, 4}, OwnAdapters: true},
			"pp9, tg8, tg8 own lora, tg8 x4, tg8 x4 own lora"},
		{Options{Load: true, Depths: []int{1, 2}}, "load"},
	} {
		tests, err := plan(c.opt)
		if err != nil {
			t.Errorf("%+v: %v", c.opt, err)
		}
		var names []string
		for _, x := range tests {
			names = append(names, x.String())
		}
		if got := strings.Join(names, ", "); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	for _, c := range []struct {
		opt  Options
		want string
	}{
		{Options{}, "nothing to measure"},
		{Options{Prompts: []int{-1}}, "a prompt of -1 tokens"},
		{Options{Generations: []int{0}}, "0 tokens to generate"},
		{Options{Pairs: [][2]int{{4, 0}}}, "a pair with 0 tokens"},
		{Options{Prompts: []int{1}, Depths: []int{-1}}, "a depth of -1 tokens"},
		{Options{Prompts: []int{1}, Sequences: []int{0}}, "0 sequences"},
		{Options{Prompts: []int{1}, Threads: []int{-2}}, "-2 threads"},
		{Options{Prompts: []int{1}, Repetitions: -1}, "-1 repetitions"},
		{Options{Generations: []int{1}, Depths: []int{0, 1}, OwnAdapters: true}, "a depth with adapters"},
		{Options{Prompts: []int{1 << 30}}, "want 1 to 4194304"},
	} {
		if _, err := plan(c.opt); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.opt, err, c.want)
		}
	}
}

func TestStatistics(t *testing.T) {
	for _, c := range []struct {
		x                    []float64
		mean, stddev, median float64
	}{
		{[]float64{3}, 3, 0, 3},
		{[]float64{4, 2}, 3, 1.4142135623730951, 3},
		{[]float64{9, 1, 2}, 4, 4.358898943540674, 2},
		{[]float64{2, 100, 4, 2}, 27, 48.6758, 3},
	} {
		before := slices.Clone(c.x)
		mean, stddev := meanStdDev(c.x)
		if mean != c.mean || stddev < c.stddev-1e-3 || stddev > c.stddev+1e-3 || median(c.x) != c.median {
			t.Errorf("%v: mean %v, deviation %v, median %v", c.x, mean, stddev, median(c.x))
		}
		if !slices.Equal(c.x, before) {
			t.Errorf("%v was sorted to %v", before, c.x)
		}
	}
}

// The rates are those of the median run; the tokens of tg2 @ d5 see 6 and 7
// positions.
func TestSummarise(t *testing.T) {
	w := mpt.Work{Bytes: 1000, OutputBytes: 100, PositionBytes: 2, MACs: 30, OutputMACs: 8}
	samples := []float64{9, 10, 100}
	tg := &cell{test: test{generate: 2, depth: 5, sequences: 1}, Result: Result{Samples: samples}}
	tg.summarise(w)
	if want := 10 * (1100 + 6.5*2); tg.BytesPerSecond != want || tg.Median != 10 || tg.Min != 9 || tg.Max != 100 {
		t.Errorf("%+v, want %v bytes per second", tg.Result, want)
	}
	pp := &cell{test: test{prompt: 4, sequences: 1}, Result: Result{Samples: samples}}
	pp.summarise(w)
	if want := 10.0 * (30 + 2); pp.MACsPerSecond != want {
		t.Errorf("%+v, want %v multiplications per second", pp.Result, want)
	}
}
