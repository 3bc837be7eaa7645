package tune

import (
	"maps"
	"slices"
	"strings"

	"mptgo/gguf"
	"mptgo/mpt"
)

// prefix is what PEFT's names begin with.
const prefix = "base_model.model."

// tensors returns A and B of all modules, with a part of the name before ".weight".
func (t *Trainer) tensors(get func(m *module) [2][]float32, infix string) (list []tensor) {
	for _, m := range t.modules {
		c, v := m.change, get(m)
		list = append(list,
			tensor{name: prefix + m.name + ".lora_A" + infix + ".weight", rows: c.Rank, cols: c.In, values: v[0]},
			tensor{name: prefix + m.name + ".lora_B" + infix + ".weight", rows: c.Out, cols: c.Rank, values: v[1], transposed: true})
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
		layers[m.layer] = true
		for _, name := range t.names(m) {
			short[name[strings.LastIndexByte(name, '.')+1:]] = true
			if m.change.Rank != l.Rank {
				c.RankPattern[name] = m.change.Rank
			}
			if m.alpha != l.Alpha {
				c.AlphaPattern[name] = m.alpha
			}
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
