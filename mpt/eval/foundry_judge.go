package eval

import (
	"maps"
	"slices"
	"strings"
)

// judge decides about a question that is answered.
func (t *foundryTask) judge(q *question) {
	switch t.Type {
	case languageModeling:
		r := q.requests[0]
		q.sample.Tokens, q.sample.LogLik, q.sample.Result = ptr(len(r.scored)), ptr(r.score.loglik), bit(r.score.greedy)
		if t.calibration {
			q.sample.Confidence = ptr(r.score.minTop)
		}
	case generationTask:
		t.judgeGeneration(q)
	default:
		t.judgeChoices(q)
	}
}

// judgeChoices picks the answer whose tokens are the most probable on average.
func (t *foundryTask) judgeChoices(q *question) {
	best, pick, sum, top := 0.0, 0, 0.0, 0.0
	for i, r := range q.requests {
		n := float64(len(r.scored))
		q.sample.Choices = append(q.sample.Choices, Choice{Tokens: len(r.scored), LogLik: r.score.loglik})
		if loss := -r.score.loglik / n; i == 0 || loss < best {
			best, pick = loss, i
		}
		sum += r.score.sumP / n
		top = max(top, r.score.sumP/n)
	}
	gold := q.row.number("gold")
	q.sample.Pick, q.sample.Gold, q.sample.Result = ptr(pick), ptr(gold), bit(pick == gold)
	if t.calibration && sum > 0 {
		q.sample.Confidence = ptr(top / sum)
	} else if t.calibration {
		q.sample.Confidence = ptr(0.0)
	}
}

// judgeGeneration compares the beginning of a generated text with the labels.
func (t *foundryTask) judgeGeneration(q *question) {
	g := q.requests[0].gen
	text := g.text.String()
	cleaned, err := t.clean(text)
	if err != nil {
		q.err = q.row.fail("early_stopping_criteria on %q: %w", text, err)
	}
	labels := map[string]bool{}
	for _, a := range append(q.row.list("aliases"), q.row.text1("answer")) {
		labels[t.normal(a)] = true
	}
	list := slices.Sorted(maps.Keys(labels))
	right := slices.ContainsFunc(list, func(l string) bool { return strings.HasPrefix(cleaned, l) })
	s := q.sample
	s.Output, s.Cleaned, s.Labels, s.NewTokens, s.Result = &text, &cleaned, list, ptr(len(g.ids)), bit(right)
}

// clean returns what of a generated text is compared.
func (t *foundryTask) clean(text string) (string, error) {
	if t.stops != nil {
		at, err := t.stops.Find(text)
		if err != nil {
			return "", err
		}
		if at != nil {
			text = text[:at[0]]
		}
	}
	if t.CoTDelimiter != "" {
		if i := strings.LastIndex(text, t.CoTDelimiter); i >= 0 {
			text = text[i+len(t.CoTDelimiter):]
		}
	}
	return t.normal(text), nil
}

func (t *foundryTask) normal(s string) string {
	if t.normalize {
		return normalizeAnswer(s)
	}
	return strip(s)
}

func (t *foundryTask) metrics(samples []*Sample) []Metric {
	list := []Metric{meanOf("accuracy", samples, func(s *Sample) *int { return s.Result })}
	if t.calibration {
		list = append(list, calibrationError(samples))
	}
	return list
}

// warnings tells of settings that do something else than they seem to.
func (t *foundryTask) warnings() (list []string) {
	if joined := strings.Join(t.EarlyStopping, "|"); strings.ContainsAny(joined, `.*+?()[]{}^$\`) {
		list = append(list, t.Label+": early_stopping_criteria are read as one regular expression, as in llm-foundry: "+
			`in it "." stands for any character`)
	}
	if t.Type != generationTask {
		return list
	}
	for _, r := range t.data.rows {
		for _, a := range append(r.list("aliases"), r.text1("answer")) {
			if t.normal(a) == "" {
				list = append(list, r.fail("the answer %q is empty once it is normalised: every output counts as right, as in llm-foundry", a).Error())
			}
		}
	}
	return list
}
