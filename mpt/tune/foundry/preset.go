package foundry

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// presets are the recipes that others are known for.
var presets = map[string]map[string]string{
	// qlora.py of artidoro/qlora with scripts/finetune_guanaco_7b.sh; its warm-up is ignored by the schedule.
	"qlora": {
		"lora-r": "64", "lora-alpha": "16", "lora-dropout": "0.1", "lora-target": "all-linear", "optim": "adamw", "weight-decay": "0",
		"lr": "2e-4", "lr-schedule": "constant", "warmup": "0", "batch": "16", "max-grad-norm": "0.3", "max-seq-len": "1280",
		"max-steps": "1875",
	},
	// llm-foundry's dbrx-lora-ft.yaml.
	"foundry-lora": {
		"lora-r": "64", "lora-alpha": "128", "lora-dropout": "0.05", "lora-target": "Wqkv", "optim": "decoupled_lionw",
		"betas": "0.9,0.95", "weight-decay": "1e-6", "lr": "1e-4", "lr-schedule": "cosine", "warmup": "0.02dur", "batch": "16",
		"max-grad-norm": "1", "max-seq-len": "4096", "packing": "true", "duration": "2ep",
	},
	// PEFT's defaults for MPT, trained as TRL's SFT trainer does.
	"peft": {
		"lora-r": "8", "lora-alpha": "8", "lora-dropout": "0", "lora-target": "Wqkv", "optim": "adamw", "weight-decay": "0",
		"lr": "2e-4", "lr-schedule": "linear", "warmup": "0", "batch": "16", "max-grad-norm": "1", "max-seq-len": "1024", "epochs": "1",
	},
}

// Presets returns the names of the presets.
func Presets() []string { return slices.Sorted(maps.Keys(presets)) }

// Preset returns the settings of a preset.
func Preset(name string) (*Settings, error) {
	preset, ok := presets[name]
	if !ok {
		return nil, fmt.Errorf("there is no preset %q: known are %s", name, strings.Join(Presets(), ", "))
	}
	s := &Settings{}
	for flag, value := range preset {
		if err := s.set(flag, []string{value}); err != nil {
			return nil, fmt.Errorf("preset %s: %w", name, err)
		}
	}
	return s, nil
}
