package tune

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"mptgo/mpt/tune/data"
)

// Plan is a whole run in a file: rows with their tokens, their order and how to train. It is what tests
// against other implementations need; nothing is left to a tokeniser or a shuffle.
type Plan struct {
	Rows     []PlanRow `json:"rows"`
	EvalRows []PlanRow `json:"eval_rows"`
	Plan     [][][]int `json:"plan"` // the micro-batches of every step, lists of rows
	LoRA     struct {
		R       int      `json:"r"`
		Alpha   float64  `json:"alpha"`
		Targets []string `json:"targets"`
	} `json:"lora"`
	Optimizer struct {
		Name        string     `json:"name"`
		LR          float64    `json:"lr"`
		Betas       [2]float64 `json:"betas"`
		Eps         float64    `json:"eps"`
		WeightDecay float64    `json:"weight_decay"`
	} `json:"optimizer"`
	Schedule struct {
		Name   string  `json:"name"`
		Warmup int     `json:"warmup"`
		AlphaF float64 `json:"alpha_f"`
	} `json:"schedule"`
	MaxGradNorm float64 `json:"max_grad_norm"`
	Dropout     float64 `json:"dropout"`
}

// PlanRow is one row of a plan. Segments are the lengths of the examples in it, one if there are none.
type PlanRow struct {
	data.Row
	Segments []int
}

// UnmarshalJSON reads a row.
func (r *PlanRow) UnmarshalJSON(b []byte) error {
	var v struct {
		Tokens   []int32 `json:"tokens"`
		Labels   []int32 `json:"labels"`
		Segments []int   `json:"segments"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	if v.Segments == nil {
		v.Segments = []int{len(v.Tokens)}
	}
	rest := len(v.Tokens)
	for _, n := range v.Segments {
		if rest -= n; n < 1 || rest < 0 {
			break
		}
	}
	if len(v.Labels) != len(v.Tokens) || rest != 0 {
		return fmt.Errorf("a row of %d tokens with %d labels and segments %v", len(v.Tokens), len(v.Labels), v.Segments)
	}
	*r = PlanRow{data.Row{Tokens: v.Tokens, Labels: v.Labels}, v.Segments}
	return nil
}

// ReadPlan reads a plan.
func ReadPlan(path string) (*Plan, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := &Plan{}
	if err := json.Unmarshal(b, p); err != nil {
		return nil, fmt.Errorf("tune: %s: %w", path, err)
	}
	if len(p.Plan) == 0 {
		return nil, fmt.Errorf("tune: %s: there is no plan in it", path)
	}
	for _, step := range p.Plan {
		for _, micro := range step {
			for _, i := range micro {
				if i < 0 || i >= len(p.Rows) {
					return nil, fmt.Errorf("tune: %s: the plan names row %d of %d", path, i, len(p.Rows))
				}
			}
		}
	}
	return p, nil
}

// Config returns how to train by the plan, and the examples of its rows.
func (p *Plan) Config() (Config, data.Rows) {
	rows, at := cut(p.Rows)
	c := Config{
		LoRA: LoRA{Rank: p.LoRA.R, Alpha: p.LoRA.Alpha, Targets: p.LoRA.Targets, Dropout: p.Dropout},
		Optimizer: Optimizer{p.Optimizer.Name, p.Optimizer.LR, p.Optimizer.Betas[0], p.Optimizer.Betas[1],
			p.Optimizer.Eps, p.Optimizer.WeightDecay},
		Schedule:    Schedule{p.Schedule.Name, p.Schedule.Warmup, p.Schedule.AlphaF},
		MaxGradNorm: p.MaxGradNorm,
	}
	for _, step := range p.Plan {
		var micros [][]int
		for _, micro := range step {
			var examples []int
			for _, i := range micro {
				for k := range p.Rows[i].Segments {
					examples = append(examples, at[i]+k)
				}
			}
			micros = append(micros, examples)
		}
		c.Plan = append(c.Plan, micros)
	}
	return c, rows
}

// Eval returns the examples to evaluate.
func (p *Plan) Eval() data.Rows {
	rows, _ := cut(p.EvalRows)
	return rows
}

// cut returns the examples of rows, and the number of the first of each row.
func cut(rows []PlanRow) (list rowList, at []int) {
	for _, r := range rows {
		at = append(at, len(list))
		from := 0
		for _, n := range r.Segments {
			list = append(list, data.Row{Tokens: r.Tokens[from : from+n], Labels: r.Labels[from : from+n]})
			from += n
		}
	}
	return list, at
}

// rowList is rows in memory.
type rowList []data.Row

func (l rowList) Len() int { return len(l) }

func (l rowList) Row(i int) (data.Row, error) {
	if i < 0 || i >= len(l) {
		return data.Row{}, errors.New("tune: no such row")
	}
	return l[i], nil
}
