package report

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// entry is a line of metrics.jsonl, with the keys of HuggingFace's log_history. A number that JSON cannot
// write, such as NaN, is null.
type entry struct {
	Step            *int    `json:"step"`
	Epoch           *number `json:"epoch,omitempty"`
	Loss            *number `json:"loss,omitempty"`
	GradNorm        *number `json:"grad_norm,omitempty"`
	LearningRate    *number `json:"learning_rate,omitempty"`
	Tokens          int     `json:"tokens,omitempty"`
	Targets         int     `json:"targets,omitempty"`
	TokensPerSecond float64 `json:"tokens_per_second,omitempty"`
	EvalLoss        *number `json:"eval_loss,omitempty"`
	EvalPerplexity  *number `json:"eval_perplexity,omitempty"`
	Best            bool    `json:"best,omitempty"`
	Prompt          *string `json:"prompt,omitempty"`
	Text            *string `json:"text,omitempty"`
}

// number is a float64, and null in JSON if it is none.
type number float64

func (x number) finite() bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }

// MarshalJSON writes it.
func (x number) MarshalJSON() ([]byte, error) {
	if !x.finite() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(x))
}

func figure(x float64) *number {
	n := number(x)
	return &n
}

// columns are those of metrics.csv.
const columns = "step,epoch,loss,grad_norm,learning_rate,tokens,targets,tokens_per_second,eval_loss,eval_perplexity\n"

// row is a line of metrics.csv; that of a sample is "".
func (e *entry) row() string {
	if e.Text != nil {
		return ""
	}
	fields := []string{strconv.Itoa(*e.Step), decimal(e.Epoch), decimal(e.Loss), decimal(e.GradNorm), decimal(e.LearningRate),
		whole(e.Tokens), whole(e.Targets), "", decimal(e.EvalLoss), decimal(e.EvalPerplexity)}
	if e.TokensPerSecond > 0 {
		fields[7] = decimal(figure(e.TokensPerSecond))
	}
	return strings.Join(fields, ",") + "\n"
}

func decimal(x *number) string {
	if x == nil || !x.finite() {
		return ""
	}
	return strconv.FormatFloat(float64(*x), 'g', -1, 64)
}

func whole(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func tableOf(entries []entry) []byte {
	table := []byte(columns)
	for i := range entries {
		table = append(table, entries[i].row()...)
	}
	return table
}
