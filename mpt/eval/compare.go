package eval

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// Comparison is what changed from one result to another, run by run.
type Comparison struct {
	A      ModelInfo       `json:"a"`
	B      ModelInfo       `json:"b"`
	Paired bool            `json:"paired"` // row by row; else only the totals are compared
	Why    string          `json:"why,omitempty"`
	Runs   []RunDifference `json:"runs"`
	Only   []string        `json:"only_in_one,omitempty"`
}

// RunDifference is the difference of one figure of a run.
type RunDifference struct {
	Name   string   `json:"name"`
	N      int      `json:"n"`
	Metric string   `json:"metric"`
	A      float64  `json:"a_value"`
	B      float64  `json:"b_value"`
	Delta  float64  `json:"delta"`            // B - A
	StdErr *float64 `json:"stderr,omitempty"` // of Delta: of the pairs, or of two results that know nothing of each other

	// Of pairs alone.
	Lost     *int     `json:"lost,omitempty"`   // right in A, wrong in B
	Gained   *int     `json:"gained,omitempty"` // wrong in A, right in B
	P        *float64 `json:"p,omitempty"`      // McNemar's exact test, two-sided
	MeanDiff *float64 `json:"loglik_mean_abs,omitempty"`
	MaxDiff  *float64 `json:"loglik_max_abs,omitempty"`
	Shift    *float64 `json:"loglik_mean,omitempty"` // mean of B - A
	ShiftErr *float64 `json:"loglik_mean_stderr,omitempty"`
}

// ReadReport reads the JSON of a report.
func ReadReport(path string) (*Report, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	r := &Report{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s: not a result of mpt eval: %w", path, err)
	}
	if len(r.Results) == 0 {
		return nil, fmt.Errorf("%s: not a result of mpt eval, or one without runs: write it with -o json", path)
	}
	if r.Samples != "" && !filepath.IsAbs(r.Samples) {
		r.Samples = filepath.Join(filepath.Dir(path), filepath.FromSlash(r.Samples))
	}
	return r, nil
}

// Compare compares two results, row by row if both have a file of samples.
func Compare(a, b *Report) (*Comparison, error) {
	c := &Comparison{A: a.Model, B: b.Model}
	if err := sameFiles(a, b); err != nil {
		return nil, err
	}
	var pairs map[string][][2]*Sample
	if a.Samples == "" || b.Samples == "" {
		c.Why = "a result without a file of samples (--log-samples) tells its totals only"
	} else {
		c.Paired = true
		var err error
		if pairs, err = readPairs(a.Samples, b.Samples); err != nil {
			return nil, err
		}
	}
	for _, name := range sortedKeys(a.Results) {
		if b.Results[name] == nil {
			c.Only = append(c.Only, name)
			continue
		}
		list, err := c.run(name, a.Results[name], b.Results[name], pairs[name])
		if err != nil {
			return nil, err
		}
		c.Runs = append(c.Runs, list...)
	}
	for _, name := range sortedKeys(b.Results) {
		if a.Results[name] == nil {
			c.Only = append(c.Only, name)
		}
	}
	if len(c.Runs) == 0 {
		return nil, errors.New("eval: the two results have no run in common")
	}
	return c, nil
}

// sameFiles refuses results of different data: a name that both have must be of the same file.
func sameFiles(a, b *Report) error {
	for path, sum := range a.Files {
		for other, s := range b.Files {
			if filepath.Base(path) == filepath.Base(other) && s != sum {
				return fmt.Errorf("eval: %s was another file when the second result was made: they cannot be compared", path)
			}
		}
	}
	return nil
}

// readPairs reads two files of samples and puts together what is of the same row.
func readPairs(a, b string) (map[string][][2]*Sample, error) {
	first, err := readSamples(a)
	if err != nil {
		return nil, err
	}
	second, err := readSamples(b)
	if err != nil {
		return nil, err
	}
	byKey := map[string]*Sample{}
	for _, s := range second {
		byKey[sampleKey(s.Run, s.I)] = s
	}
	pairs := map[string][][2]*Sample{}
	for _, s := range first {
		o := byKey[sampleKey(s.Run, s.I)]
		if o == nil {
			continue
		}
		if !slices.Equal(s.IDsHash, o.IDsHash) || !slices.Equal(s.ContextTokens, o.ContextTokens) {
			return nil, fmt.Errorf("eval: row %d of %s has other tokens in %s than in %s: the models have different tokenizers, or the "+
				"options differ", s.I, s.Run, a, b)
		}
		pairs[s.Run] = append(pairs[s.Run], [2]*Sample{s, o})
	}
	return pairs, nil
}

func readSamples(path string) (list []*Sample, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(nil, maxLine)
	for n := 1; in.Scan(); n++ {
		s := &Sample{}
		if err := json.Unmarshal(in.Bytes(), s); err != nil || s.Run == "" {
			return nil, &RowError{path, n,
				fmt.Errorf("not a sample of mpt eval: %w", firstError(err, errors.New("no run")))}
		}
		list = append(list, s)
	}
	return list, in.Err()
}

// compared are the figures that are compared, and those of them that tell right from wrong.
var compared = []struct {
	name  string
	right func(*Sample) *int
}{
	{"accuracy", func(s *Sample) *int { return s.Result }},
	{"acc", func(s *Sample) *int { return s.Acc }},
	{"acc_norm", func(s *Sample) *int { return s.AccNorm }},
	{"acc_bytes", func(s *Sample) *int { return s.AccBytes }},
	{"acc_mutual_info", func(s *Sample) *int { return s.AccMutualInfo }},
	{"perplexity", nil}, {"word_perplexity", nil}, {"byte_perplexity", nil}, {"bits_per_byte", nil},
}

// run compares the figures of a run.
func (c *Comparison) run(name string, a, b Figures, pairs [][2]*Sample) (list []RunDifference, err error) {
	for _, m := range compared {
		x, okA := a[m.name].(float64)
		y, okB := b[m.name].(float64)
		if !okA || !okB {
			continue
		}
		d := RunDifference{Name: name, Metric: m.name, A: x, B: y, Delta: y - x}
		na, _ := a["n"].(float64)
		nb, _ := b["n"].(float64)
		d.N = int(min(na, nb))
		if c.Paired {
			if len(pairs) != int(na) || na != nb {
				return nil, fmt.Errorf("eval: %s: %d rows are in both files of samples, the results are of %v and %v",
					name, len(pairs), na, nb)
			}
			d.pair(pairs, m.right)
		} else if key := stderrKey(m.name); a[key] != nil && b[key] != nil {
			d.StdErr = ptr(math.Hypot(a[key].(float64), b[key].(float64)))
		}
		list = append(list, d)
	}
	for _, key := range sortedKeys(a) {
		x, okA := a[key].(float64)
		y, okB := b[key].(float64)
		base, filter := splitKey(key)
		if !okA || !okB || base != "exact_match" {
			continue
		}
		d := RunDifference{Name: name, Metric: key, N: len(pairs), A: x, B: y, Delta: y - x}
		d.pair(pairs, func(s *Sample) *int { return ptr(s.ExactMatch[filter]) })
		list = append(list, d)
	}
	return list, nil
}

func stderrKey(name string) string {
	if name == "accuracy" {
		return "stderr"
	}
	return name + "_stderr"
}

// splitKey parts the name of a metric from its filter.
func splitKey(key string) (name, filter string) {
	for i := range key {
		if key[i] == ',' {
			return key[:i], key[i+1:]
		}
	}
	return key, "none"
}

// pair adds what pairs of rows tell.
func (d *RunDifference) pair(pairs [][2]*Sample, right func(*Sample) *int) {
	var deltas, shifts []float64
	lost, gained, n, most, sum := 0, 0, 0, 0.0, 0.0
	for _, p := range pairs {
		if right != nil {
			x, y := right(p[0]), right(p[1])
			if x == nil || y == nil {
				continue
			}
			deltas = append(deltas, float64(*y-*x))
			lost += *x * (1 - *y)
			gained += (1 - *x) * *y
		}
		first, second := p[0].logliks(), p[1].logliks()
		if len(first) == 0 || len(first) != len(second) {
			continue
		}
		shift := 0.0 // of a row, whose choices are not independent
		for i, l := range first {
			diff := second[i] - l
			shift += diff / float64(len(first))
			sum += math.Abs(diff)
			most = max(most, math.Abs(diff))
		}
		shifts = append(shifts, shift)
		n += len(first)
	}
	if len(deltas) > 0 {
		_, d.StdErr = mean(deltas)
		d.Lost, d.Gained, d.P = &lost, &gained, ptr(mcNemar(lost, gained))
	}
	if len(shifts) > 0 {
		d.MeanDiff, d.MaxDiff = ptr(sum/float64(n)), &most
		m, err := mean(shifts)
		d.Shift, d.ShiftErr = &m, err
	}
}

// logliks returns the log-likelihoods of a row.
func (s *Sample) logliks() (list []float64) {
	for _, c := range s.Choices {
		list = append(list, c.LogLik)
	}
	if s.LogLik != nil {
		list = append(list, *s.LogLik)
	}
	return list
}

// mcNemar returns the two-sided p of McNemar's exact test: how probable it is that of all
// rows that changed at least so many changed to one side, if both sides are alike.
func mcNemar(lost, gained int) float64 {
	n, k := lost+gained, min(lost, gained)
	if n == 0 {
		return 1
	}
	lg := func(x int) float64 { v, _ := math.Lgamma(float64(x + 1)); return v }
	sum := 0.0
	for i := range k + 1 {
		sum += math.Exp(lg(n) - lg(i) - lg(n-i) - float64(n)*math.Ln2)
	}
	return min(2*sum, 1)
}
