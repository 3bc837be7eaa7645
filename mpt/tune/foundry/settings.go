// Package foundry reads recipes for fine-tuning: YAML files with the flags of mpt finetune as keys, and those of
// MosaicML's llm-foundry; and it knows the recipes that others are known for, as presets.
//
// A recipe becomes [Settings], and those the flags that they stand for:
//
//	recipe, err := foundry.Read("recipe.yaml", text)
//	for _, f := range recipe.Settings.Flags() { ... f.Name, f.Values ... }
//
// This package is not stable yet: names may change from one minor version to the next.
package foundry

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Settings are what a recipe says. What it does not say is nil or empty. Times such as Warmup, EvalEvery and
// SaveEvery are read by [ParseTime].
type Settings struct {
	Model, Name                           string   // the base: a file, and what it is called on the hub
	Train, Eval                           []string // files and folders of data
	EvalSplit                             *float64 // share of the rows, or their number
	Kind                                  string   // of rows
	TextField, PromptField, ResponseField string
	ChatTemplate                          string
	TargetPrompts, TargetResponses        string
	Long                                  string
	Context                               *int // tokens
	Packing, NoShuffle                    *bool

	Rank                         *int
	Alpha, Dropout               *float64
	Targets                      []string // modules
	Layers                       string   // A-B
	RSLoRA                       *bool
	RankPatterns, AlphaPatterns  []string // K=R, K=A
	Init                         string   // folder of an adapter
	Optimizer                    string
	LearningRate, Eps            *float64
	Betas                        []string // two numbers
	WeightDecay, MaxGradNorm     *float64
	Schedule, Warmup             string
	FinalFactor                  *float64 // of the rate at the end: alpha_f
	Batch, MicroBatch            *int     // rows, tokens
	Epochs                       *float64
	MaxSteps                     *int
	Duration                     string
	EvalEvery, SaveEvery         string
	EvalFirst                    *bool
	Patience, Keep, LogEvery     *int
	Samples                      []string
	Seed                         *int
	LoRAOut, GGUFOut             string
	AdapterType, TensorBoard     string
	Preset                       string
	AllowPlainMarkers, Strict    *bool
	Threads                      *int
	IgnoreMemory, Exact, Unfused *bool
}

// Flag is a flag of mpt finetune with what a recipe says for it. Those that may be given several times have
// several values.
type Flag struct {
	Name   string // without dashes
	Values []string
}

// field joins a flag to the setting that it is.
type field struct {
	flag string
	at   func(*Settings) any // *string, *[]string, **bool, **int or **float64
}

// fields are all of them, in the order of [Settings.Flags].
var fields = []field{
	{"preset", func(s *Settings) any { return &s.Preset }},
	{"model", func(s *Settings) any { return &s.Model }},
	{"base-name", func(s *Settings) any { return &s.Name }},
	{"train-data", func(s *Settings) any { return &s.Train }},
	{"eval-file", func(s *Settings) any { return &s.Eval }},
	{"eval-split", func(s *Settings) any { return &s.EvalSplit }},
	{"format", func(s *Settings) any { return &s.Kind }},
	{"text-field", func(s *Settings) any { return &s.TextField }},
	{"prompt-field", func(s *Settings) any { return &s.PromptField }},
	{"response-field", func(s *Settings) any { return &s.ResponseField }},
	{"chat-template", func(s *Settings) any { return &s.ChatTemplate }},
	{"target-prompts", func(s *Settings) any { return &s.TargetPrompts }},
	{"target-responses", func(s *Settings) any { return &s.TargetResponses }},
	{"long", func(s *Settings) any { return &s.Long }},
	{"strict", func(s *Settings) any { return &s.Strict }},
	{"allow-plain-markers", func(s *Settings) any { return &s.AllowPlainMarkers }},
	{"max-seq-len", func(s *Settings) any { return &s.Context }},
	{"packing", func(s *Settings) any { return &s.Packing }},
	{"no-shuffle", func(s *Settings) any { return &s.NoShuffle }},
	{"lora-r", func(s *Settings) any { return &s.Rank }},
	{"lora-alpha", func(s *Settings) any { return &s.Alpha }},
	{"lora-dropout", func(s *Settings) any { return &s.Dropout }},
	{"lora-target", func(s *Settings) any { return &s.Targets }},
	{"lora-layers", func(s *Settings) any { return &s.Layers }},
	{"rslora", func(s *Settings) any { return &s.RSLoRA }},
	{"rank-pattern", func(s *Settings) any { return &s.RankPatterns }},
	{"alpha-pattern", func(s *Settings) any { return &s.AlphaPatterns }},
	{"lora-init", func(s *Settings) any { return &s.Init }},
	{"optim", func(s *Settings) any { return &s.Optimizer }},
	{"lr", func(s *Settings) any { return &s.LearningRate }},
	{"betas", func(s *Settings) any { return &s.Betas }},
	{"eps", func(s *Settings) any { return &s.Eps }},
	{"weight-decay", func(s *Settings) any { return &s.WeightDecay }},
	{"max-grad-norm", func(s *Settings) any { return &s.MaxGradNorm }},
	{"lr-schedule", func(s *Settings) any { return &s.Schedule }},
	{"warmup", func(s *Settings) any { return &s.Warmup }},
	{"alpha-f", func(s *Settings) any { return &s.FinalFactor }},
	{"batch", func(s *Settings) any { return &s.Batch }},
	{"micro-batch", func(s *Settings) any { return &s.MicroBatch }},
	{"epochs", func(s *Settings) any { return &s.Epochs }},
	{"max-steps", func(s *Settings) any { return &s.MaxSteps }},
	{"duration", func(s *Settings) any { return &s.Duration }},
	{"eval-every", func(s *Settings) any { return &s.EvalEvery }},
	{"eval-first", func(s *Settings) any { return &s.EvalFirst }},
	{"patience", func(s *Settings) any { return &s.Patience }},
	{"save-every", func(s *Settings) any { return &s.SaveEvery }},
	{"keep", func(s *Settings) any { return &s.Keep }},
	{"log-every", func(s *Settings) any { return &s.LogEvery }},
	{"sample", func(s *Settings) any { return &s.Samples }},
	{"seed", func(s *Settings) any { return &s.Seed }},
	{"lora-out", func(s *Settings) any { return &s.LoRAOut }},
	{"gguf-out", func(s *Settings) any { return &s.GGUFOut }},
	{"adapter-type", func(s *Settings) any { return &s.AdapterType }},
	{"tensorboard", func(s *Settings) any { return &s.TensorBoard }},
	{"threads", func(s *Settings) any { return &s.Threads }},
	{"unfused", func(s *Settings) any { return &s.Unfused }},
	{"ignore-memory", func(s *Settings) any { return &s.IgnoreMemory }},
	{"exact", func(s *Settings) any { return &s.Exact }},
}

// aliases are other names of flags.
var aliases = map[string]string{"m": "model", "f": "train-data", "c": "max-seq-len", "t": "threads"}

// Flags returns the flags that the settings stand for, in a fixed order. Lists of modules and of betas are one value
// with commas.
func (s *Settings) Flags() (list []Flag) {
	for _, f := range fields {
		var values []string
		switch at := f.at(s).(type) {
		case *string:
			if *at != "" {
				values = []string{*at}
			}
		case *[]string:
			values = slices.Clone(*at)
			if len(values) > 1 && (f.flag == "lora-target" || f.flag == "betas") {
				values = []string{strings.Join(values, ",")}
			}
		case **bool:
			if *at != nil {
				values = []string{strconv.FormatBool(**at)}
			}
		case **int:
			if *at != nil {
				values = []string{strconv.Itoa(**at)}
			}
		case **float64:
			if *at != nil {
				values = []string{strconv.FormatFloat(**at, 'g', -1, 64)}
			}
		}
		if len(values) > 0 {
			list = append(list, Flag{f.flag, values})
		}
	}
	return list
}

// set gives a flag a value, or several.
func (s *Settings) set(flag string, values []string) error {
	i := slices.IndexFunc(fields, func(f field) bool { return f.flag == flag })
	if i < 0 {
		return fmt.Errorf("there is no flag --%s", flag)
	}
	at := fields[i].at(s)
	if list, ok := at.(*[]string); ok {
		*list = values
		return nil
	}
	if len(values) != 1 {
		return fmt.Errorf("%s has one value, not %d", flag, len(values))
	}
	return store(at, values[0])
}

// store parses a value into a field.
func store(at any, value string) (err error) {
	switch at := at.(type) {
	case *string:
		*at = value
	case **bool:
		*at, err = parsed(strconv.ParseBool(value))
	case **int:
		*at, err = parsed(strconv.Atoi(value))
	case **float64:
		*at, err = parsed(strconv.ParseFloat(value, 64))
	}
	if err != nil {
		return fmt.Errorf("%q: want %s", value, map[bool]string{true: "true or false", false: "a number"}[isBool(at)])
	}
	return nil
}

func isBool(at any) bool { _, ok := at.(**bool); return ok }

func parsed[T any](v T, err error) (*T, error) { return &v, err }
