package eval

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/goccy/go-yaml"
)

// Gauntlet is how llm-foundry makes a few scores of many tasks.
type Gauntlet struct {
	file     gauntletFile
	averages []average // of the file's
	path     string
}

type gauntletFile struct {
	Weighting  string             `yaml:"weighting"`
	Subtract   bool               `yaml:"subtract_random_baseline"`
	Rescale    bool               `yaml:"rescale_accuracy"`
	Averages   yaml.MapSlice      `yaml:"averages"`
	Categories []gauntletCategory `yaml:"categories"`
	Folder     any                `yaml:"destination_dir"`
}

type average struct {
	name       string
	categories []string
}

type gauntletCategory struct {
	Name       string              `yaml:"name"`
	Benchmarks []gauntletBenchmark `yaml:"benchmarks"`
}

type gauntletBenchmark struct {
	Name      string  `yaml:"name"`
	Shots     int     `yaml:"num_fewshot"`
	Random    float64 `yaml:"random_baseline"`
	Scorecard any     `yaml:"scorecard"`
}

// Score is a category of a gauntlet, or an average of some.
type Score struct {
	Name    string
	Value   float64
	Average bool
}

// LoadGauntlet reads a gauntlet in llm-foundry's YAML.
func LoadGauntlet(path string) (*Gauntlet, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	var file struct {
		Gauntlet *gauntletFile `yaml:"eval_gauntlet"`
	}
	if _, err := topLevel(path, b); err != nil {
		return nil, err
	}
	if err := yaml.UnmarshalWithOptions(b, &file, yaml.Strict()); err != nil {
		return nil, yamlError(path, err)
	}
	if file.Gauntlet == nil {
		return nil, fmt.Errorf("%s: eval_gauntlet is missing", path)
	}
	g := &Gauntlet{file: *file.Gauntlet, path: path}
	if err := g.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}

func (g *Gauntlet) check() error {
	switch g.file.Weighting {
	case "EQUAL", "SAMPLE_SZ", "LOG_SAMPLE_SZ":
	default:
		return fmt.Errorf("weighting %q: want EQUAL, SAMPLE_SZ or LOG_SAMPLE_SZ", g.file.Weighting)
	}
	if g.file.Rescale && !g.file.Subtract {
		return errors.New("rescale_accuracy needs subtract_random_baseline")
	}
	names := map[string]bool{}
	for _, c := range g.file.Categories {
		if c.Name == "" || len(c.Benchmarks) == 0 || names[c.Name] {
			return fmt.Errorf("category %q: it has no name, no benchmarks, or is there twice", c.Name)
		}
		names[c.Name] = true
		for _, b := range c.Benchmarks {
			if g.file.Rescale && b.Random >= 1 {
				return fmt.Errorf("%s: random_baseline %v: want less than 1", b.Name, b.Random)
			}
		}
	}
	for _, a := range g.file.Averages {
		list, ok := a.Value.([]any)
		if !ok {
			return fmt.Errorf("averages: %v is not a list of categories", a.Key)
		}
		x := average{name: fmt.Sprint(a.Key)}
		for _, c := range list {
			x.categories = append(x.categories, fmt.Sprint(c))
		}
		g.averages = append(g.averages, x)
	}
	return nil
}

// scores computes the gauntlet of accuracies by the names of runs, which have so many rows.
func (g *Gauntlet) scores(accuracy map[string]float64, rows map[string]int) (list []Score, warnings []string) {
	by := map[string]float64{}
	for _, c := range g.file.Categories {
		v, missing := g.category(c, accuracy, rows)
		if missing != "" {
			warnings = append(warnings,
				fmt.Sprintf("%s: the category %s is left out: there is no result of %s", g.path, c.Name, missing))
			continue
		}
		by[c.Name] = v
		list = append(list, Score{Name: c.Name, Value: v})
	}
	averages := g.averages
	if averages == nil {
		all := average{name: "default_average"}
		for _, s := range list {
			all.categories = append(all.categories, s.Name)
		}
		averages = []average{all}
	}
	for _, a := range averages {
		sum, n := 0.0, 0
		for _, c := range a.categories {
			if v, ok := by[c]; ok {
				sum += v
				n++
			}
		}
		list = append(list, Score{a.name, sum / float64(max(n, 1)), true})
	}
	return list, warnings
}

// category is the weighted mean of its benchmarks, of which one may be missing.
func (g *Gauntlet) category(c gauntletCategory, accuracy map[string]float64, rows map[string]int) (v float64, missing string) {
	var sum, weights float64
	for _, b := range c.Benchmarks {
		name := fmt.Sprintf("%s/%d-shot", b.Name, b.Shots)
		score, ok := accuracy[name]
		if !ok {
			return 0, name
		}
		if g.file.Subtract {
			score -= b.Random
		}
		if g.file.Rescale {
			score /= 1 - b.Random
		}
		w := g.weight(name, rows)
		sum += w * score
		weights += w
	}
	return sum / weights, ""
}

func (g *Gauntlet) weight(name string, rows map[string]int) float64 {
	n := 0
	for run, k := range rows {
		if strings.HasPrefix(run, name) {
			n += k
		}
	}
	n = max(n, 1)
	switch g.file.Weighting {
	case "SAMPLE_SZ":
		return float64(n)
	case "LOG_SAMPLE_SZ":
		return max(math.Log2(float64(n)), 1)
	}
	return 1
}

// total adds the figures of groups and of the gauntlet.
func (r *Results) total(plans []*plan, g *Gauntlet) {
	r.categories()
	r.lmGroups(plans)
	if g == nil {
		return
	}
	accuracy, rows := map[string]float64{}, map[string]int{}
	for _, o := range r.Runs {
		if o.Rules != "foundry" || len(o.Metrics) == 0 {
			continue
		}
		rows[o.Name] = len(o.Samples)
		if o.Group == "" {
			accuracy[o.Name] = o.Metrics[0].Value
		}
	}
	for _, t := range r.Groups {
		accuracy[t.Name] = t.Metric.Value
	}
	var warnings []string
	r.Gauntlet, warnings = g.scores(accuracy, rows)
	r.Warnings = append(r.Warnings, warnings...)
}

// categories adds the means over the categories of llm-foundry's tasks.
func (r *Results) categories() {
	var at *Total
	n := 0.0
	for _, o := range r.Runs {
		if o.Rules != "foundry" || o.Group == "" || len(o.Metrics) == 0 {
			continue
		}
		if at == nil || at.Name != o.Group {
			r.Groups = append(r.Groups, Total{Name: o.Group, Metric: Metric{Name: "accuracy"}})
			at, n = &r.Groups[len(r.Groups)-1], 0
		}
		at.Metric.Value = (at.Metric.Value*n + o.Metrics[0].Value) / (n + 1)
		at.Rows += len(o.Samples)
		n++
	}
}

// lmGroups adds the figures of lm-evaluation-harness' groups.
func (r *Results) lmGroups(plans []*plan) {
	members, order := map[string][]*Outcome{}, []string{}
	wanted := map[string][]lmMetric{}
	for i, o := range r.Runs {
		t := plans[i].group
		if t.group == "" || o.Partial {
			continue
		}
		name := fmt.Sprintf("%s/%d-shot", t.group, o.Shots)
		if members[name] == nil {
			order = append(order, name)
			wanted[name] = t.lm.aggregate
		}
		members[name] = append(members[name], o)
	}
	for _, name := range order {
		for _, m := range wanted[name] {
			if t, ok := pooled(name, m, members[name]); ok {
				r.Groups = append(r.Groups, t)
			}
		}
	}
}

// pooled is a figure over several runs: their mean, and the error that they have together.
func pooled(name string, m lmMetric, list []*Outcome) (t Total, ok bool) {
	var sum, weights, variance, n float64
	hasErr := true
	for _, o := range list {
		for _, x := range o.Metrics {
			if x.Name != m.Metric {
				continue
			}
			size := float64(len(o.Samples))
			w := 1.0
			if or(m.WeightBySize, true) {
				w = size
			}
			sum, weights, ok = sum+w*x.Value, weights+w, true
			n += size
			if x.StdErr == nil {
				hasErr = false
				continue
			}
			variance += (size - 1) * *x.StdErr * *x.StdErr * size
		}
	}
	t = Total{Name: name, Rows: int(n), Metric: Metric{Name: m.Metric, Value: sum / weights}}
	if freedom := n - float64(len(list)); ok && hasErr && freedom > 0 {
		t.Metric.StdErr = ptr(math.Sqrt(variance / freedom / n))
	}
	return t, ok
}
