package lora

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"mptgo/mpt/checkpoint"
)

const configName = "adapter_config.json"

// maxConfig bounds the configuration, which lists some modules.
const maxConfig = 16 << 20

// config is what adapter_config.json says.
type config struct {
	Base   string
	RSLoRA bool
	DoRA   bool
	Tied   bool // changes of the embedding are changes of the output matrix that is tied to it

	r, loraAlpha  float64 // rank and alpha where no pattern matches
	ranks, alphas []pattern
	saved         []string // the modules that the file should hold as a whole
	notes         []string
}

// pattern is a rank or alpha for the modules that match.
type pattern struct {
	match *regexp.Regexp
	value float64
}

// noEffect are the fields that do not change what a trained adapter computes, or
// whose effect shows in the tensors.
var noEffect = []string{
	"auto_mapping", "revision", "task_type", "inference_mode", "target_modules", "exclude_modules", "layers_to_transform",
	"layers_pattern", "lora_dropout", "loftq_config", "eva_config", "corda_config", "lora_ga_config",
	"megatron_config", "megatron_core", "qalora_group_size", "peft_version", "runtime_config", "merge_weights", "enable_lora", "bias",
}

// refused are the fields, set to anything but off, that stand for features which are
// not supported.
var refused = map[string]string{
	"lora_bias":               "a bias of B",
	"trainable_token_indices": "trained tokens of the embedding",
	"target_parameters":       "changes of single parameters",
	"alora_invocation_tokens": "activated LoRA",
	"use_qalora":              "QA-LoRA",
	"layer_replication":       "replicated layers",
	"arrow_config":            "Arrow routing",
	"kasa_config":             "KaSA",
	"velora_config":           "VeLoRA",
	"use_bdlora":              "block-diagonal LoRA",
	"monteclora_config":       "MonteCLoRA",
}

// residual are the ways to begin the training of an adapter that change the base
// model, too.
var residual = []string{"pissa", "olora", "corda", "loftq", "lora_ga"}

func readConfig(dir string) (*config, error) {
	if err := checkpoint.Usable(filepath.Join(dir, configName)); err != nil {
		return nil, err
	}
	b, err := readSmall(filepath.Join(dir, configName))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(dir, "config.json")); err == nil {
			return nil, malformed("a checkpoint folder, not an adapter: there is no %s", configName)
		}
		return nil, malformed("not an adapter: there is no %s", configName)
	}
	if err != nil {
		return nil, err
	}
	c, err := parseConfig(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", configName, err)
	}
	return c, nil
}

func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(b) > maxConfig {
		err = malformed("%s is larger than %d bytes", filepath.Base(path), maxConfig)
	}
	return b, err
}

func parseConfig(b []byte) (*config, error) {
	f := &fields{used: map[string]bool{}}
	if err := json.Unmarshal(b, &f.raw); err != nil {
		if bytes.HasPrefix(b, []byte("version https://git-lfs")) {
			return nil, malformed("this is a git-lfs pointer, not the file itself")
		}
		return nil, malformed("not a JSON object: %v", err)
	}
	if kind := read(f, "peft_type", "a string", "LORA"); f.err == nil && !strings.EqualFold(kind, "LORA") {
		return nil, fmt.Errorf("peft_type is %q, only LORA is supported: %w", kind, errors.ErrUnsupported)
	}
	c := &config{Base: read(f, "base_model_name_or_path", "a string", "")}
	c.r = float64(read(f, "r", "a number", number(8)))
	f.refuseNull("r", "lora_alpha")
	c.loraAlpha = float64(read(f, "lora_alpha", "a number", number(8)))
	c.RSLoRA = bool(read(f, "use_rslora", "true or false", toggle(false)))
	c.DoRA = bool(read(f, "use_dora", "true or false", toggle(false)))
	c.Tied = bool(read(f, "ensure_weight_tying", "true or false", toggle(false)))
	c.saved = read(f, "modules_to_save", "a list of names", names(nil))
	c.ranks = f.patterns("rank_pattern")
	c.alphas = f.patterns("alpha_pattern")
	c.init(f)
	if read(f, "fan_in_fan_out", "true or false", toggle(false)) {
		c.notes = append(c.notes, "fan_in_fan_out is set, which is for matrices that are transposed: MPT has none, and PEFT ignores it there, too")
	}
	f.refuse()
	if f.err == nil {
		f.err = c.check()
	}
	return c, f.err
}

// init notes where the base model may have been changed, too.
func (c *config) init(f *fields) {
	how := read[any](f, "init_lora_weights", "true, false or a name", true)
	name, ok := how.(string)
	if !ok {
		return
	}
	for _, r := range residual {
		if strings.HasPrefix(strings.ToLower(name), r) {
			c.notes = append(c.notes, fmt.Sprintf("init_lora_weights is %q: unless it was converted when it was saved, the adapter fits only the base model that this initialisation left", name))
		}
	}
}

// patterns returns the patterns of a field in the order of the file, which counts.
func (f *fields) patterns(key string) (list []pattern) {
	values := read(f, key, "an object of numbers", map[string]number{})
	d := json.NewDecoder(bytes.NewReader(f.raw[key]))
	d.Token()
	for len(list) < len(values) && d.More() {
		name, _ := d.Token()
		d.Token() // a number, as read has seen
		text, _ := name.(string)
		match, err := regexp.Compile(`^(?:.*\.)?(?:` + text + `)$`)
		if err != nil {
			f.fail("%w", malformed("%s: %q is not a pattern that is understood: %v", key, text, err))
			return nil
		}
		list = append(list, pattern{match, float64(values[text])})
	}
	return list
}

// refuse refuses what would change the result and is not computed.
func (f *fields) refuse() {
	for _, key := range slices.Sorted(maps.Keys(f.raw)) {
		switch feature := refused[key]; {
		case f.used[key] || slices.Contains(noEffect, key) || !f.isSet(key):
		case feature != "":
			f.fail("%s (%s) is not supported: %w", feature, key, errors.ErrUnsupported)
		default:
			f.fail("%s is set to %.40s, and this version does not know what that does: %w",
				key, f.raw[key], errors.ErrUnsupported)
		}
	}
}

// rank returns the rank that a module has.
func (c *config) rank(module string) int { return int(first(c.ranks, module, c.r)) }

// alpha returns the alpha of a module.
func (c *config) alpha(module string) float64 { return first(c.alphas, module, c.loraAlpha) }

// first returns the value of the first pattern that matches.
func first(list []pattern, module string, absent float64) float64 {
	for _, p := range list {
		if p.match.MatchString(module) {
			return p.value
		}
	}
	return absent
}
