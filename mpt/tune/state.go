package tune

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mptgo/gguf"
	"mptgo/mpt"
	"mptgo/mpt/tune/data"
)

// Entry is a line of a run's history: of a step, or of an evaluation. The keys are those of Hugging Face's
// Trainer.
type Entry struct {
	Step     int      `json:"step"`
	Epoch    float64  `json:"epoch"`
	Loss     *float64 `json:"loss,omitempty"`
	GradNorm *float64 `json:"grad_norm,omitempty"`
	LR       *float64 `json:"learning_rate,omitempty"`
	Tokens   int64    `json:"num_input_tokens_seen,omitempty"`
	EvalLoss *float64 `json:"eval_loss,omitempty"`
}

// best is the evaluation with the lowest loss.
type best struct {
	Loss *float64
	Step int
}

// state is trainer_state.json.
type state struct {
	Step    int      `json:"global_step"`
	Epoch   float64  `json:"epoch"`
	Place   int      `json:"position"` // steps done in the epoch
	Updates int      `json:"optimizer_step"`
	MaxStep int      `json:"max_steps"`
	Best    *float64 `json:"best_metric"`
	BestAt  *string  `json:"best_model_checkpoint"`
	History []Entry  `json:"log_history"`
}

// identity is what must be the same for a run to go on, by what a user calls it.
type identity map[string]string

// identify returns that of a run.
func (t *Trainer) identify() (identity, error) {
	if t.digest == "" { // of all rows: they do not change
		var err error
		if t.digest, err = digest(t.rows); err != nil {
			return nil, err
		}
	}
	if t.c.Held != nil && t.held == "" {
		var err error
		if t.held, err = digest(t.c.Held); err != nil {
			return nil, err
		}
	}
	c := &t.c
	o, s := c.Optimizer, c.Schedule
	return identity{
		"base model": digestBase(t.model), "data": t.digest, "data to evaluate": cmp.Or(t.held, "none"),
		"--lora-r": fmt.Sprint(c.LoRA.Rank, c.LoRA.Ranks), "--lora-alpha": fmt.Sprint(c.LoRA.Alpha, c.LoRA.Alphas),
		"--lora-dropout": fmt.Sprint(c.LoRA.Dropout), "--rslora": fmt.Sprint(c.LoRA.RSLoRA),
		"--lora-target": t.targets(), "--optim": o.Name, "--lr": fmt.Sprint(o.LR), "--betas": fmt.Sprint(o.Beta1, o.Beta2),
		"--eps": fmt.Sprint(o.Eps), "--weight-decay": fmt.Sprint(o.WeightDecay), "--max-grad-norm": fmt.Sprint(c.MaxGradNorm),
		"--lr-schedule": s.Name, "--alpha-f": fmt.Sprint(s.AlphaF), "--batch": fmt.Sprint(c.Batch), "--seed": fmt.Sprint(c.Seed),
		"--no-shuffle": fmt.Sprint(c.NoShuffle), "--exact": fmt.Sprint(c.Exact), "plan": fmt.Sprint(len(c.Plan)),
	}, nil
}

// targets names all modules.
func (t *Trainer) targets() string {
	h := sha256.New()
	for _, m := range t.modules {
		fmt.Fprintln(h, m.name)
	}
	return fmt.Sprintf("%d modules %x", len(t.modules), h.Sum(nil)[:4])
}

// differences lists what is not the same in both.
func (i identity) differences(saved identity) (list []string) {
	for _, key := range slices.Sorted(maps.Keys(i)) {
		if was, ok := saved[key]; ok && i[key] != was { // else an earlier version has written it
			list = append(list, fmt.Sprintf("%s is %s, was %s", key, i[key], was))
		}
	}
	return list
}

// digest returns the SHA-256 of rows.
func digest(rows data.Rows) (string, error) {
	h := sha256.New()
	var b []byte
	for i := range rows.Len() {
		r, err := rows.Row(i)
		if err != nil {
			return "", err
		}
		b = binary.LittleEndian.AppendUint32(b[:0], uint32(len(r.Tokens)))
		for k := range r.Tokens {
			b = binary.LittleEndian.AppendUint32(b, uint32(r.Tokens[k]))
			b = binary.LittleEndian.AppendUint32(b, uint32(r.Labels[k]))
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// digestBase returns the SHA-256 of names, types, sizes and some bytes of the tensors of a model, and of
// its architecture's keys.
func digestBase(m *mpt.Model) string {
	h := sha256.New()
	for _, kv := range m.File().Meta() {
		if strings.HasPrefix(kv.Key, mpt.Architecture+".") {
			fmt.Fprintf(h, "%s %v\n", kv.Key, kv.Value)
		}
	}
	for _, x := range m.File().Tensors() {
		sample(h.Write, x)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// sample writes what identifies a tensor.
func sample(write func([]byte) (int, error), x *gguf.Tensor) {
	write(fmt.Appendf(nil, "%s %v %v ", x.Name, x.Type, x.Shape))
	data := x.Data()
	const parts, size = 16, 64
	for k := range parts {
		at := len(data) / parts * k
		write(data[at:min(at+size, len(data))])
	}
}
