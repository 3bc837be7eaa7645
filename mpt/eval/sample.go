package eval

import "math"

// Sample is what became of one row.
type Sample struct {
	Run           string   `json:"run"`
	I             int      `json:"i"` // number of the row in its data set, from 0
	Fewshot       []int    `json:"fewshot"`
	ContextTokens []int    `json:"context_tokens,omitempty"` // before the scored ones, of each choice
	IDsHash       []string `json:"ids_hash,omitempty"`       // of all tokens, see the specification

	Choices []Choice `json:"choices,omitempty"`

	Tokens *int     `json:"tokens,omitempty"` // scored
	LogLik *float64 `json:"loglik,omitempty"` // sum of ln p, in nats
	Words  *int     `json:"words,omitempty"`
	Bytes  *int     `json:"bytes,omitempty"`

	Output       *string           `json:"output,omitempty"`
	Cleaned      *string           `json:"cleaned,omitempty"`
	Filtered     map[string]string `json:"filtered,omitempty"` // by the name of the filter
	Labels       []string          `json:"labels,omitempty"`
	MaxNewTokens *int              `json:"max_new_tokens,omitempty"`
	NewTokens    *int              `json:"new_tokens,omitempty"`

	Pick *int `json:"pick,omitempty"`
	Gold *int `json:"gold,omitempty"`

	Result        *int           `json:"result,omitempty"` // of llm-foundry's rules
	Acc           *int           `json:"acc,omitempty"`
	AccNorm       *int           `json:"acc_norm,omitempty"`
	AccBytes      *int           `json:"acc_bytes,omitempty"`
	AccMutualInfo *int           `json:"acc_mutual_info,omitempty"`
	ExactMatch    map[string]int `json:"exact_match,omitempty"`

	Confidence *float64 `json:"confidence,omitempty"` // for the calibration error
}

// Choice is how probable one of several answers is.
type Choice struct {
	Tokens int      `json:"tokens"`
	LogLik float64  `json:"loglik"` // sum of ln p, in nats
	Greedy *bool    `json:"greedy,omitempty"`
	Alone  *float64 `json:"loglik_alone,omitempty"` // after nothing, for acc_mutual_info
}

// right returns whether the row counts as right, and whether rows of its kind can.
func (s *Sample) right() (right, ok bool) {
	for _, v := range []*int{s.Result, s.Acc} {
		if v != nil {
			return *v == 1, true
		}
	}
	for _, name := range sortedKeys(s.ExactMatch) {
		return s.ExactMatch[name] == 1, true
	}
	return false, false
}

// Metric is one figure of a run.
type Metric struct {
	Name   string
	Value  float64
	StdErr *float64 // standard error; nil: there is none
	Filter string   // of generations: what was done to the text; "" or "none" is nothing
	Extra  bool     // the task does not list it
	Approx bool     // the error is the delta method's where the original draws samples
}

func ptr[T any](v T) *T { return &v }

func bit(b bool) *int {
	if b {
		return ptr(1)
	}
	return ptr(0)
}

// mean returns the mean of values and its standard error, which one value has not.
func mean(values []float64) (m float64, stderr *float64) {
	n := float64(len(values))
	for _, v := range values {
		m += v
	}
	m /= n
	if n < 2 {
		return m, nil
	}
	ss := 0.0
	for _, v := range values {
		ss += (v - m) * (v - m)
	}
	return m, ptr(math.Sqrt(ss/(n-1)) / math.Sqrt(n))
}

// meanOf is the mean of a decision over the samples.
func meanOf(name string, samples []*Sample, of func(*Sample) *int) Metric {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = float64(*of(s))
	}
	m, err := mean(values)
	return Metric{Name: name, Value: m, StdErr: err}
}

// calibrationBuckets is how many parts llm-foundry cuts the confidences into.
const calibrationBuckets = 10

// calibrationError is llm-foundry's expected calibration error.
func calibrationError(samples []*Sample) Metric {
	var right, total [calibrationBuckets]float64
	for _, s := range samples {
		b := min(int(*s.Confidence*calibrationBuckets), calibrationBuckets-1)
		total[b]++
		right[b] += float64(*s.Result)
	}
	sum := 0.0
	for b, n := range total {
		if n > 0 {
			middle := (float64(b) + 0.5) / calibrationBuckets
			sum += n / float64(len(samples)) * math.Abs(right[b]/n-middle)
		}
	}
	return Metric{Name: "expected_calibration_error", Value: sum}
}
