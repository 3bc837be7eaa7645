package tune

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mptgo/gguf"
	"mptgo/mpt"
	"mptgo/mpt/lora"
)

// prefix is what PEFT's names begin with.
const prefix = "base_model.model."

// tensors returns A and B of all modules, with a part of the name before ".weight".
func (t *Trainer) tensors(get func(m *module) [2][]float32, infix string) (list []tensor) {
	for _, m := range t.modules {
		c, v := m.change, get(m)
		list = append(list,
			tensor{prefix + m.name + ".lora_A" + infix + ".weight", c.Rank, c.In, v[0], false},
			tensor{prefix + m.name + ".lora_B" + infix + ".weight", c.Out, c.Rank, v[1], true})
	}
	return list
}

// adapterConfig is adapter_config.json. Older versions of PEFT refuse fields that they do not know, so
// those that came later are left out unless they say something.
type adapterConfig struct {
	AlphaPattern map[string]float64 `json:"alpha_pattern"`
	AutoMapping  any                `json:"auto_mapping"`
	Base         *string            `json:"base_model_name_or_path"`
	Bias         string             `json:"bias"`
	FanInFanOut  bool               `json:"fan_in_fan_out"`
	Inference    bool               `json:"inference_mode"`
	Init         bool               `json:"init_lora_weights"`
	Pattern      any                `json:"layers_pattern"`
	Layers       []int              `json:"layers_to_transform"`
	Alpha        float64            `json:"lora_alpha"`
	Dropout      float64            `json:"lora_dropout"`
	Save         any                `json:"modules_to_save"`
	Type         string             `json:"peft_type"`
	Rank         int                `json:"r"`
	RankPattern  map[string]int     `json:"rank_pattern"`
	Revision     any                `json:"revision"`
	Targets      []string           `json:"target_modules"`
	Task         string             `json:"task_type"`
	RSLoRA       bool               `json:"use_rslora,omitempty"`
}

// config returns the configuration of the adapter. Ranks and alphas of modules that a pattern matched are
// written by their full names.
func (t *Trainer) config(base string) adapterConfig {
	l := &t.c.LoRA
	c := adapterConfig{
		Bias: "none", Inference: true, Init: true, Type: "LORA", Task: "CAUSAL_LM",
		Alpha: l.Alpha, Dropout: l.Dropout, Rank: l.Rank, RSLoRA: l.RSLoRA,
		AlphaPattern: map[string]float64{}, RankPattern: map[string]int{},
	}
	if base != "" {
		c.Base = &base
	}
	short, layers := map[string]bool{}, map[int]bool{}
	for _, m := range t.modules {
		short[m.name[strings.LastIndexByte(m.name, '.')+1:]] = true
		layers[m.layer] = true
		if m.change.Rank != l.Rank {
			c.RankPattern[m.name] = m.change.Rank
		}
		if m.alpha != l.Alpha {
			c.AlphaPattern[m.name] = m.alpha
		}
	}
	c.Targets = slices.Sorted(maps.Keys(short))
	if len(layers) < t.model.Config().Layers {
		c.Layers = slices.Sorted(maps.Keys(layers))
	}
	return c
}

// BaseName returns what the file of a model says that it was made from, or "".
func BaseName(m *mpt.Model) string {
	for _, key := range []string{"general.base_model.0.repo_url", "general.base_model.0.name", "general.source.huggingface.repository", "general.name"} {
		if s, err := gguf.GetOr(m.File(), key, ""); err == nil && s != "" {
			return strings.TrimPrefix(s, "https://huggingface.co/")
		}
	}
	return ""
}

// LoadAdapter sets the adapter to that of a folder or file, which must change the same matrices with the
// same ranks.
func (t *Trainer) LoadAdapter(path string) error {
	a, err := lora.Open(path)
	if err != nil {
		return err
	}
	defer a.Close()
	if err := a.MergeOnly(); err != nil {
		return err
	}
	pairs := map[string]*lora.Pair{}
	for i := range a.Pairs {
		pairs[a.Pairs[i].Target] = &a.Pairs[i]
	}
	p := t.model.Parameters()
	for _, m := range t.modules {
		name := matrices(&p.Layers[m.layer])[m.kind].Name
		pair := pairs[name]
		if pair == nil {
			return fmt.Errorf("tune: %s does not change %s, which is to be trained: choose --lora-target and --lora-layers of that adapter", path, name)
		}
		delete(pairs, name)
		if err := m.set(pair, path); err != nil {
			return err
		}
	}
	for name := range pairs {
		return fmt.Errorf("tune: %s changes %s, which is not to be trained: choose --lora-target and --lora-layers of that adapter", path, name)
	}
	t.pack()
	return t.net.e.Err()
}

// set takes A and B of a pair.
func (m *module) set(p *lora.Pair, path string) error {
	c := m.change
	if p.Rank != c.Rank || p.In != c.In || p.Out != c.Out {
		return fmt.Errorf("tune: %s: %s has rank %d with %d and %d values, here it is %d with %d and %d: choose --lora-r of that adapter",
			path, p.Target, p.Rank, p.In, p.Out, c.Rank, c.In, c.Out)
	}
	if float32(p.Scale) != c.Scale {
		return fmt.Errorf("tune: %s: the change of %s is scaled by %v, here it is %v: choose --lora-alpha and --rslora of that adapter", path, p.Target, p.Scale, c.Scale)
	}
	a, err := p.A.Floats()
	if err != nil {
		return err
	}
	b, err := p.B.Floats()
	if err != nil {
		return err
	}
	copy(c.A, a)
	for i, v := range b {
		c.B[i%c.Rank*c.Out+i/c.Rank] = v
	}
	return nil
}
