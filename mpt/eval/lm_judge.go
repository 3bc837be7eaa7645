package eval

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"mptgo/internal/pyregexp"
)

// filterChain is what is done to a generated text before it is compared.
type filterChain struct {
	name  string
	steps []func(text string) (string, error)
}

// matcher is exact_match with its options.
type matcher struct {
	lmMetric
	ignore []*pyregexp.Regexp
}

// checkGeneration reads the settings of generations.
func (t *lmTask) checkGeneration() error {
	if t.OutputType != lmGenerate {
		if len(t.GenerationKwargs) > 0 || len(t.FilterList) > 0 {
			return fmt.Errorf("generation_kwargs and filter_list are for %s only", lmGenerate)
		}
		return nil
	}
	t.most, t.until = 256, []string{t.fewshotDelimiter}
	for name, v := range t.GenerationKwargs {
		if err := t.setKwarg(name, v); err != nil {
			return fmt.Errorf("generation_kwargs: %w", err)
		}
	}
	for _, m := range t.MetricList {
		x := matcher{lmMetric: m}
		for _, pattern := range m.RegexesToIgnore {
			re, err := pyregexp.Compile(pattern)
			if err != nil {
				return err
			}
			x.ignore = append(x.ignore, re)
		}
		t.matches = append(t.matches, x)
	}
	return t.readFilters()
}

func (t *lmTask) setKwarg(name string, v any) error {
	switch name {
	case "until":
		switch x := v.(type) {
		case string:
			t.until = []string{x}
			return nil
		case []any:
			t.until = nil
			for _, s := range x {
				t.until = append(t.until, fmt.Sprint(s))
			}
			return nil
		}
		return fmt.Errorf("until is %v: want a text or a list of texts", v)
	case "max_gen_toks", "max_new_tokens", "max_tokens":
		n, ok := v.(uint64)
		if !ok || n < 1 || n > 1<<20 {
			return fmt.Errorf("%s: %v: want 1 or more", name, v)
		}
		t.most = int(n)
		return nil
	}
	return greedyOnly(name, v)
}

// readFilters reads filter_list; without it nothing is done to a text.
func (t *lmTask) readFilters() error {
	if len(t.FilterList) == 0 {
		t.filters = []filterChain{{name: "none"}}
		return nil
	}
	for _, f := range t.FilterList {
		c := filterChain{name: f.Name}
		for _, s := range f.Filter {
			switch s.Function {
			case "take_first":
			case "regex":
				step, err := s.regex()
				if err != nil {
					return err
				}
				c.steps = append(c.steps, step)
			default:
				return fmt.Errorf("filter_list: the filter %q is not supported: known are take_first and regex", s.Function)
			}
		}
		if c.name == "" {
			return errors.New("filter_list: a filter has no name")
		}
		t.filters = append(t.filters, c)
	}
	return nil
}

// regex is the filter that takes a match out of a text.
func (f lmFilter) regex() (func(string) (string, error), error) {
	re, err := pyregexp.Compile(or(f.Pattern, `#### (\-?[0-9\.\,]+)`))
	if err != nil {
		return nil, err
	}
	fallback := or(f.Fallback, "[invalid]")
	return func(text string) (string, error) {
		all, err := re.FindAll(text)
		if err != nil || len(all) == 0 {
			return fallback, err
		}
		n := f.GroupSelect
		if n < 0 {
			n += len(all)
		}
		if n < 0 || n >= len(all) {
			return "", fmt.Errorf("group_select %d: the text has %d matches", f.GroupSelect, len(all))
		}
		if len(all[n]) == 1 {
			return strip(all[n][0]), nil
		}
		for _, g := range all[n] {
			if g != "" {
				return strip(g), nil
			}
		}
		return strip(fallback), nil
	}, nil
}

// judge decides about a question that is answered.
func (t *lmTask) judge(q *question) {
	s := q.sample
	switch t.OutputType {
	case lmChoice:
		t.judgeChoices(q)
	case lmGenerate:
		t.judgeGeneration(q)
	default:
		n, sum, greedy := 0, 0.0, true
		for _, r := range q.requests {
			n += len(r.scored)
			sum += r.score.loglik
			greedy = greedy && r.score.greedy
		}
		s.Tokens, s.LogLik = &n, &sum
		if t.OutputType == lmLoglikelihood {
			s.Acc = bit(greedy)
		}
	}
}

// argmax returns the first of the largest values.
func argmax(values []float64) (best int) {
	for i, v := range values {
		if v > values[best] {
			best = i
		}
	}
	return best
}

func (t *lmTask) judgeChoices(q *question) {
	d, _ := t.doc(q.row) // was read before
	s, n := q.sample, len(d.choices)
	sums, norm, bytes, mutual := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for i, c := range d.choices {
		r := q.requests[i]
		choice := Choice{Tokens: len(r.scored), LogLik: r.score.loglik, Greedy: ptr(r.score.greedy)}
		sums[i] = r.score.loglik
		norm[i] = sums[i] / float64(utf8.RuneCountInString(c))
		bytes[i] = sums[i] / float64(len(c))
		if len(q.requests) == 2*n {
			choice.Alone = ptr(q.requests[n+i].score.loglik)
			mutual[i] = sums[i] - *choice.Alone
		}
		s.Choices = append(s.Choices, choice)
	}
	s.Pick, s.Gold = ptr(argmax(sums)), ptr(d.gold)
	s.Acc, s.AccNorm, s.AccBytes = bit(*s.Pick == d.gold), bit(argmax(norm) == d.gold), bit(argmax(bytes) == d.gold)
	if len(q.requests) == 2*n {
		s.AccMutualInfo = bit(argmax(mutual) == d.gold)
	}
}

func (t *lmTask) judgeGeneration(q *question) {
	d, _ := t.doc(q.row)
	s, g := q.sample, q.requests[0].gen
	text := g.text.String()
	for _, stop := range t.until {
		if stop != "" {
			text, _, _ = strings.Cut(text, stop)
		}
	}
	s.Output, s.NewTokens, s.Labels = &text, ptr(len(g.ids)), d.targets
	s.Filtered, s.ExactMatch = map[string]string{}, map[string]int{}
	for _, f := range t.filters {
		out, err := text, error(nil)
		for _, step := range f.steps {
			if err == nil {
				out, err = step(out)
			}
		}
		right := false
		for _, target := range d.targets {
			same, e := t.matches[0].same(out, target)
			right, err = right || same, firstError(err, e)
		}
		if err != nil && q.err == nil {
			q.err = q.row.fail("filter %s of %q: %w", f.name, text, err)
		}
		s.Filtered[f.name], s.ExactMatch[f.name] = out, *bit(right)
	}
}

// same compares two texts as exact_match does.
func (m *matcher) same(a, b string) (bool, error) {
	var texts [2]string
	for i, s := range []string{a, b} {
		for _, re := range m.ignore {
			var err error
			if s, err = re.Replace(s, "", 0); err != nil {
				return false, err
			}
		}
		if m.IgnoreCase {
			s = lower(s)
		}
		texts[i] = strings.Map(func(r rune) rune {
			if m.IgnorePunctuation && strings.ContainsRune(asciiPunctuation, r) || m.IgnoreNumbers && r >= '0' && r <= '9' {
				return -1
			}
			return r
		}, s)
	}
	return texts[0] == texts[1], nil
}

// metrics returns the figures of the samples; those that the task does not list are marked.
func (t *lmTask) metrics(samples []*Sample) (list []Metric) {
	switch t.OutputType {
	case lmLoglikelihood:
		list = append(list, perplexity(samples), meanOf("acc", samples, func(s *Sample) *int { return s.Acc }))
	case lmChoice:
		list = append(list, meanOf("acc", samples, func(s *Sample) *int { return s.Acc }),
			meanOf("acc_norm", samples, func(s *Sample) *int { return s.AccNorm }),
			meanOf("acc_bytes", samples, func(s *Sample) *int { return s.AccBytes }))
		if t.wants("acc_mutual_info") {
			list = append(list, meanOf("acc_mutual_info", samples, func(s *Sample) *int { return s.AccMutualInfo }))
		}
	case lmRolling:
		list = rolling(samples)
	case lmGenerate:
		for _, f := range t.filters {
			m := meanOf("exact_match", samples, func(s *Sample) *int { return ptr(s.ExactMatch[f.name]) })
			m.Filter = f.name
			list = append(list, m)
		}
	}
	for i := range list {
		list[i].Extra = !t.wants(list[i].Name)
	}
	slices.SortStableFunc(list, func(a, b Metric) int {
		at := func(m Metric) int {
			return slices.IndexFunc(t.MetricList, func(x lmMetric) bool { return x.Metric == m.Name })
		}
		return at(a) - at(b)
	})
	return list
}

// perplexity is that of last words, for example: of the mean over rows.
func perplexity(samples []*Sample) Metric {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = *s.LogLik
	}
	m, err := mean(values)
	ppl := Metric{Name: "perplexity", Value: math.Exp(-m), Approx: true}
	if err != nil {
		ppl.StdErr = ptr(ppl.Value * *err)
	}
	return ppl
}

// rolling are the figures of whole texts.
func rolling(samples []*Sample) []Metric {
	var ll, words, bytes float64
	for _, s := range samples {
		ll += *s.LogLik
		words += float64(*s.Words)
		bytes += float64(*s.Bytes)
	}
	return []Metric{
		{Name: "word_perplexity", Value: math.Exp(-ll / words)},
		{Name: "byte_perplexity", Value: math.Exp(-ll / bytes)},
		{Name: "bits_per_byte", Value: -ll / bytes / math.Ln2},
	}
}
