package foundry

import (
	"fmt"
	"strings"
	"testing"
)

// dolly is a recipe as people write it for llm-foundry.
const dolly = `
variables:
  seed: 17
  max_seq_len: 2_048 # tokens
  run_name: dolly-${variables.seed}
max_seq_len: ${variables.max_seq_len}
run_name: ${variables.run_name}

model:
  name: hf_causal_lm
  pretrained: true
  pretrained_model_name_or_path: mosaicml/mpt-7b
  peft_config:
    r: 64
    lora_alpha: 128
    lora_dropout: 0.05
    target_modules: [Wqkv, "out_proj"]
    peft_type: LORA
    task_type: CAUSAL_LM
tokenizer:
  name: mosaicml/mpt-7b
  kwargs:
    model_max_length: ${max_seq_len}

train_loader:
  name: finetuning
  dataset:
    hf_name: json
    hf_kwargs:
      data_files: [a.jsonl, b.jsonl]
    split: train
    max_seq_len: ${max_seq_len}
    allow_pad_trimming: false
    decoder_only_format: true
    shuffle: true
    target_prompts: none
    target_responses: last
    packing_ratio: auto
    preprocessing_fn:
      prompt: question
      response: answer
  drop_last: true
  num_workers: 8
eval_loader:
  name: finetuning
  dataset:
    local: ./my-data
    remote:
    split: val
    shuffle: false
optimizer:
  name: decoupled_lionw
  lr: 1e-4
  betas:
  - 0.9
  - 0.95
  weight_decay: 1.0e-6
scheduler:
  name: cosine_with_warmup
  t_warmup: 0.02dur
  alpha_f: 0
algorithms:
  gradient_clipping:
    clipping_type: norm
    clipping_threshold: 1.0
max_duration: 2ep
eval_interval: 1
eval_first: true
global_train_batch_size: 16
seed: ${variables.seed}
device_train_microbatch_size: auto
precision: amp_bf16
fsdp_config:
  sharding_strategy: FULL_SHARD
  mixed_precision: PURE
callbacks:
  speed_monitor: {window_size: 10}
  lr_monitor: {}
save_interval: 500ba
save_num_checkpoints_to_keep: 3
save_folder: ./out
`

func flags(s *Settings) string {
	var all []string
	for _, f := range s.Flags() {
		all = append(all, fmt.Sprintf("--%s %s", f.Name, strings.Join(f.Values, " ")))
	}
	return strings.Join(all, "\n")
}

func TestFoundry(t *testing.T) {
	recipe, err := Read("dolly.yaml", []byte(dolly))
	if err != nil {
		t.Fatal(err)
	}
	const want = `--base-name mosaicml/mpt-7b
--train-data a.jsonl b.jsonl
--eval-file my-data/val
--prompt-field question
--response-field answer
--target-prompts none
--target-responses last
--max-seq-len 2048
--packing true
--no-shuffle false
--lora-r 64
--lora-alpha 128
--lora-dropout 0.05
--lora-target Wqkv,out_proj
--optim decoupled_lionw
--lr 0.0001
--betas 0.9,0.95
--weight-decay 1e-06
--max-grad-norm 1
--lr-schedule cosine
--warmup 0.02dur
--alpha-f 0
--batch 16
--duration 2ep
--eval-every 1ep
--eval-first true
--save-every 500ba
--keep 3
--seed 17
--lora-out ./out`
	if got := flags(&recipe.Settings); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	notes := strings.Join(recipe.Notes, "\n")
	for _, word := range []string{"precision", "fsdp_config", "callbacks", "train_loader.num_workers", "the base is the file"} {
		if !strings.Contains(notes, word) {
			t.Errorf("no note of %s: %s", word, notes)
		}
	}
}

func TestOwn(t *testing.T) {
	recipe, err := Read("r.yaml", []byte("m: base.gguf\nf: [a.jsonl, b.csv]\nlora-r: 8\nlora-target: all-linear\nepochs: 1.5\nsample:\n- Once\n- One day\nshuffle: false\npreset: qlora\npatience:\n"))
	if err != nil {
		t.Fatal(err)
	}
	const want = "--preset qlora\n--model base.gguf\n--train-data a.jsonl b.csv\n--no-shuffle true\n--lora-r 8\n--lora-target all-linear\n--epochs 1.5\n--sample Once One day"
	if got := flags(&recipe.Settings); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// TestRefused: every refusal has the line and the key.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		text  string
		words []string
	}{
		{"seed: 1\nlora-x: 2", []string{"r.yaml:2: lora-x:", "not known", "lora-r"}},
		{"model:\n  peft_config:\n    r: 1\n    rank: 2", []string{"r.yaml:4: model.peft_config.rank", "Known below model.peft_config", "lora_alpha"}},
		{"icl_tasks: a.yaml", []string{"icl_tasks", "not known"}},
		{"lora-r: many", []string{"r.yaml:1: lora-r", "want a number"}},
		{"eval_first: perhaps", []string{"true or false"}},
		{"lora-r: [1, 2]", []string{"one value, not 2"}},
		{"train_loader:\n  dataset:\n    preprocessing_fn: my.module:fn", []string{":3:", "functions of Python"}},
		{"train_loader:\n  dataset:\n    remote: s3://a/b\n    local: /tmp/a", []string{":3:", "nothing is downloaded"}},
		{"train_loader:\n  dataset:\n    hf_name: mosaicml/dolly_hhrlhf", []string{":3:", "nothing is downloaded", "hf_kwargs.data_files"}},
		{"train_loader:\n  dataset:\n    hf_name: json", []string{":3:", "data_dir or"}},
		{"train_loader:\n  dataset:\n    decoder_only_format: false", []string{":3:", "false is not supported"}},
		{"scheduler:\n  name: inv_sqrt_with_warmup", []string{":2: scheduler.name", "inv_sqrt_with_warmup is not supported"}},
		{"optimizer:\n  name: sgd", []string{":2: optimizer.name", "sgd is not supported"}},
		{"algorithms:\n  gradient_clipping:\n    clipping_type: value", []string{":3:", "value is not supported"}},
		{"model:\n  peft_config:\n    bias: all", []string{"all is not supported"}},
		{"max_duration: 100tok", []string{`the unit tok is not supported`}},
		{"max_seq_len: 1\ntokenizer:\n  kwargs:\n    model_max_length: 2", []string{":4:", "it says 2", "max_seq_len in line 1 says 1"}},
		{"seed: ${variables.seed}", []string{"there is no such value"}},
		{"seed: ${oc.env:HOME}", []string{"resolvers of OmegaConf"}},
		{"variables:\n  a: ${variables.b}\n  b: ${variables.a}", []string{"without end"}},
		{"seed: 1\nseed: 2", []string{"r.yaml"}},
		{"a: &x 1\nb: *x", []string{"anchor"}},
		{"- 1", []string{"want a mapping"}},
		{"", []string{"0 YAML documents"}},
		{"a: [", []string{"r.yaml"}},
		{strings.Repeat("[", 2000), []string{"too large"}},
	} {
		_, err := Read("r.yaml", []byte(c.text))
		if err == nil {
			t.Errorf("%q is accepted", c.text)
			continue
		}
		for _, w := range c.words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q: the error %q does not say %q", c.text, err, w)
			}
		}
	}
}

func TestPresets(t *testing.T) {
	for _, name := range Presets() {
		s, err := Preset(name)
		if err != nil || s.Rank == nil || s.LearningRate == nil || s.Context == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	s, err := Preset("foundry-lora")
	if err != nil || *s.Rank != 64 || *s.Alpha != 128 || s.Targets[0] != "Wqkv" || !*s.Packing || s.Warmup != "0.02dur" {
		t.Errorf("%v, %+v", err, s)
	}
	if _, err := Preset("lora"); err == nil || !strings.Contains(err.Error(), "foundry-lora, peft, qlora") {
		t.Errorf("%v", err)
	}
}

// TestFields: every flag can be set and comes back.
func TestFields(t *testing.T) {
	for _, f := range fields {
		var s Settings
		value := map[string]string{"**bool": "true", "**int": "3", "**float64": "0.5", "*string": "x", "*[]string": "x"}[fmt.Sprintf("%T", f.at(&s))]
		if err := s.set(f.flag, []string{value}); err != nil {
			t.Error(err)
		}
		if got := s.Flags(); len(got) != 1 || got[0].Name != f.flag || got[0].Values[0] != value {
			t.Errorf("%s: %v", f.flag, got)
		}
	}
}

func TestTimes(t *testing.T) {
	for _, c := range []struct {
		text       string
		all, epoch int
		steps      int
	}{
		{"50ba", 300, 100, 50}, {"2ep", 300, 100, 200}, {"0.5ep", 300, 101, 51}, {"0.02dur", 150, 50, 3}, {"0.03", 100, 10, 3}, {"0.03", 101, 10, 4},
		{"5", 100, 10, 5}, {"0", 100, 10, 0}, {"1dur", 7, 3, 7}, {"0.1dur", 30, 3, 3},
	} {
		v, err := ParseTime(c.text)
		if got := v.Steps(c.all, c.epoch); err != nil || got != c.steps {
			t.Errorf("%s of %d: %d steps, %v; want %d", c.text, c.all, got, err, c.steps)
		}
	}
	for _, text := range []string{"", "ba", "-1ba", "1.5ba", "3sp", "NaNep", "Infep", "1 ep"} {
		if v, err := ParseTime(text); err == nil {
			t.Errorf("%q is %v", text, v)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(dolly))
	f.Add([]byte("m: a\nf: [b]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if recipe, err := Read("r.yaml", text); err == nil {
			recipe.Settings.Flags()
		}
	})
}
