package report

import (
	"math"
	"strconv"
	"strings"
)

// entry is a line of metrics.jsonl, with the keys of HuggingFace's log_history. A number that JSON cannot
// write, such as NaN, is null.
type entry struct {
	Step            *int     `json:"step"`
	Epoch           *float64 `json:"epoch,omitempty"`
	Loss            *float64 `json:"loss,omitempty"`
	GradNorm        *float64 `json:"grad_norm,omitempty"`
	LearningRate    *float64 `json:"learning_rate,omitempty"`
	Tokens          int      `json:"tokens,omitempty"`
	Targets         int      `json:"targets,omitempty"`
	TokensPerSecond float64  `json:"tokens_per_second,omitempty"`
	EvalLoss        *float64 `json:"eval_loss,omitempty"`
	EvalPerplexity  *float64 `json:"eval_perplexity,omitempty"`
	Best            bool     `json:"best,omitempty"`
	Prompt          *string  `json:"prompt,omitempty"`
	Text            *string  `json:"text,omitempty"`
}

// finite returns a number, or nil if it is none.
func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
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
		fields[7] = decimal(&e.TokensPerSecond)
	}
	return strings.Join(fields, ",") + "\n"
}

func decimal(x *float64) string {
	if x == nil {
		return ""
	}
	return strconv.FormatFloat(*x, 'g', -1, 64)
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
