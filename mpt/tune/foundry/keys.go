package foundry

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// keys are those of llm-foundry that mean something here, with what they do.
var keys = map[string]func(*reader, *leaf) error{
	"max_seq_len":                                     flag("max-seq-len"),
	"tokenizer.kwargs.model_max_length":               flag("max-seq-len"),
	"tokenizer.name":                                  named,
	"tokenizer_name":                                  named,
	"model.pretrained_model_name_or_path":             named,
	"model.name":                                      oneOf("hf_causal_lm", "mpt_causal_lm", "hf_peft_lora"),
	"model.peft_config.r":                             flag("lora-r"),
	"model.peft_config.lora_alpha":                    flag("lora-alpha"),
	"model.peft_config.lora_dropout":                  flag("lora-dropout"),
	"model.peft_config.target_modules":                list("lora-target"),
	"model.peft_config.use_rslora":                    flag("rslora"),
	"model.peft_config.peft_type":                     oneOf("LORA"),
	"model.peft_config.task_type":                     oneOf("CAUSAL_LM"),
	"model.peft_config.bias":                          oneOf("none"),
	"optimizer.name":                                  optimizer,
	"optimizer.lr":                                    flag("lr"),
	"optimizer.betas":                                 list("betas"),
	"optimizer.eps":                                   flag("eps"),
	"optimizer.weight_decay":                          flag("weight-decay"),
	"scheduler.name":                                  schedule,
	"scheduler.t_warmup":                              times("warmup"),
	"scheduler.alpha_f":                               flag("alpha-f"),
	"scheduler.t_max":                                 oneOf("1dur"),
	"algorithms.gradient_clipping.clipping_type":      oneOf("norm"),
	"algorithms.gradient_clipping.clipping_threshold": flag("max-grad-norm"),
	"max_duration":                                    interval("duration"),
	"eval_interval":                                   interval("eval-every"),
	"eval_first":                                      flag("eval-first"),
	"global_train_batch_size":                         flag("batch"),
	"seed":                                            flag("seed"),
	"global_seed":                                     flag("seed"),
	"save_interval":                                   interval("save-every"),
	"save_num_checkpoints_to_keep":                    keep,
	"save_folder":                                     folder,
	"run_name":                                        ignore,
	"train_loader.name":                               oneOf("finetuning"),
	"eval_loader.name":                                oneOf("finetuning"),
	"train_loader.dataset.max_seq_len":                flag("max-seq-len"),
	"train_loader.dataset.shuffle":                    shuffle,
	"train_loader.dataset.packing_ratio":              packing,
	"train_loader.dataset.shuffle_seed":               ignore,
	"train_loader.dataset.target_prompts":             flag("target-prompts"),
	"train_loader.dataset.target_responses":           flag("target-responses"),
	"eval_loader.dataset.target_prompts":              flag("target-prompts"),
	"eval_loader.dataset.target_responses":            flag("target-responses"),
	"train_loader.dataset.decoder_only_format":        oneOf("true"),
	"eval_loader.dataset.decoder_only_format":         oneOf("true"),
}

// datasetKeys say together where data lie, see [reader.dataset].
var datasetKeys = []string{"hf_name", "hf_kwargs.data_dir", "hf_kwargs.data_files", "hf_kwargs.data_files.train",
	"hf_kwargs.data_files.test", "hf_kwargs.data_files.validation", "local", "remote", "split", "preprocessing_fn",
	"preprocessing_fn.prompt", "preprocessing_fn.response"}

// mute are keys, and beginnings of keys, that concern GPUs, other programs or what this program does anyway.
var mute = []string{
	"fsdp_config", "tp_config", "parallelism_config", "precision", "device_eval_batch_size", "device_train_microbatch_size",
	"device_train_grad_accum", "dist_timeout", "compile_config", "console_log_interval", "progress_bar", "log_to_console",
	"python_log_level", "autoresume", "save_overwrite", "save_weights_only", "save_latest_filename", "save_filename", "callbacks",
	"loggers", "profiler", "load_strict_model_weights", "accumulate_train_batch_on_tokens", "eval_subset_num_batches",
	"max_split_size_mb", "expandable_segments", "cuda_load_lazy", "tokenizer.kwargs", "model.pretrained", "model.init_device",
	"model.use_auth_token", "model.trust_remote_code", "model.use_flash_attention_2", "model.attn_config.attn_impl",
	"model.config_overrides.attn_config.attn_impl", "model.config_overrides.attn_config.attn_uses_sequence_id",
	"model.should_save_peft_only", "model.peft_config.inference_mode", "metadata", "variables",
}

// muteLoader are those below a loader.
var muteLoader = []string{"drop_last", "num_workers", "pin_memory", "prefetch_factor", "persistent_workers", "timeout",
	"dataset.allow_pad_trimming", "dataset.pad_to_longest", "dataset.shuffle", "dataset.max_seq_len", "dataset.packing_ratio",
	"dataset.shuffle_seed", "dataset.max_leftover_bins_to_keep", "dataset.safe_load", "dataset.auto_packing_replication"}

// leaf does what a key says.
func (r *reader) leaf(l *leaf) error {
	if do, known := keys[l.path]; known {
		if len(l.values) == 0 {
			return nil // null: the default
		}
		return do(r, l)
	}
	if loader, key, ok := strings.Cut(l.path, "."); ok && (loader == "train_loader" || loader == "eval_loader") {
		if name, ok := strings.CutPrefix(key, "dataset."); ok && slices.Contains(datasetKeys, name) {
			if r.loaders[loader] == nil {
				r.loaders[loader] = map[string]*leaf{}
			}
			r.loaders[loader][name] = l
			return nil
		}
		if below(key, muteLoader) {
			return ignore(r, l)
		}
	}
	if below(l.path, mute) {
		if strings.HasPrefix(l.path, "variables.") {
			return nil
		}
		return ignore(r, l)
	}
	return r.own(l)
}

// below reports whether a key is one of a list, or lies in one.
func below(key string, list []string) bool {
	return slices.ContainsFunc(list, func(p string) bool { return key == p || strings.HasPrefix(key, p+".") })
}

// own takes a key that is a flag.
func (r *reader) own(l *leaf) error {
	name := l.path
	if other := aliases[name]; other != "" {
		name = other
	}
	if name == "shuffle" {
		return shuffle(r, l)
	}
	if name == "no-packing" {
		return r.put(l, "packing", opposite(l))
	}
	i := slices.IndexFunc(fields, func(f field) bool { return f.flag == name })
	if i < 0 {
		return r.fail(l, "this key is not known. %s", r.neighbours(l.path))
	}
	if len(l.values) == 0 && !l.list {
		return nil
	}
	return r.put(l, name, l.values...)
}

// neighbours lists what is known where a key is.
func (r *reader) neighbours(path string) string {
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		var names []string
		for _, f := range fields {
			names = append(names, f.flag)
		}
		return "Known are llm-foundry's keys, and the flags of mpt finetune: " + strings.Join(names, ", ")
	}
	var names []string
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if name, ok := strings.CutPrefix(k, path[:i+1]); ok {
			names = append(names, name)
		}
	}
	if names == nil {
		return "Nothing is known below " + path[:i]
	}
	return "Known below " + path[:i] + " are " + strings.Join(names, ", ")
}

func flag(name string) func(*reader, *leaf) error {
	return func(r *reader, l *leaf) error { return r.put(l, name, l.values...) }
}

func list(name string) func(*reader, *leaf) error {
	return func(r *reader, l *leaf) error {
		if !l.list && len(l.values) == 1 {
			return r.put(l, name, strings.Split(l.values[0], ",")...)
		}
		return r.put(l, name, l.values...)
	}
}

// oneOf takes keys that have to say what is done anyway.
func oneOf(allowed ...string) func(*reader, *leaf) error {
	return func(r *reader, l *leaf) error {
		if len(l.values) != 1 || !slices.Contains(allowed, l.values[0]) {
			return r.fail(l, "%s is not supported: %s is", strings.Join(l.values, ", "), strings.Join(allowed, " or "))
		}
		return nil
	}
}

func ignore(r *reader, l *leaf) error {
	name := l.path
	for _, m := range mute {
		if strings.HasPrefix(name, m+".") {
			name = m
		}
	}
	if !slices.Contains(r.ignored, name) {
		r.ignored = append(r.ignored, name)
	}
	return nil
}

// times takes a length of training.
func times(name string) func(*reader, *leaf) error {
	return func(r *reader, l *leaf) error {
		if len(l.values) != 1 {
			return r.fail(l, "want a time such as 50ba, 2ep or 0.02dur")
		}
		if _, err := ParseTime(l.values[0]); err != nil {
			return r.fail(l, "%v", err)
		}
		return r.put(l, name, l.values[0])
	}
}

// interval takes a time after which something is done again. Composer's plain numbers are epochs.
func interval(name string) func(*reader, *leaf) error {
	return func(r *reader, l *leaf) error {
		value := strings.Join(l.values, ",")
		if strings.Trim(value, "0123456789") == "" {
			value += "ep"
		}
		if _, err := ParseTime(value); err != nil {
			return r.fail(l, "%v", err)
		}
		return r.put(l, name, value)
	}
}

// named takes the name of a base, which has to be a GGUF file here.
func named(r *reader, l *leaf) error {
	if r.origin["base-name"] != nil {
		return nil
	}
	r.note("%s is %s: the base is the file that -m names", l.path, strings.Join(l.values, ", "))
	return r.put(l, "base-name", l.values...)
}

// optimizers are those that there are, by all of their names.
var optimizers = map[string]string{
	"adamw": "adamw", "decoupled_adamw": "decoupled_adamw", "decoupled_lionw": "decoupled_lionw", "lion": "decoupled_lionw",
	"adamw8bit": "adamw", "paged_adamw_8bit": "adamw", "paged_adamw_32bit": "adamw", "adamw_torch": "adamw",
}

func optimizer(r *reader, l *leaf) error {
	name, ok := optimizers[l.values[0]]
	if !ok {
		return r.fail(l, "%s is not supported: %s are", l.values[0], strings.Join(slices.Sorted(maps.Keys(optimizers)), ", "))
	}
	if name != l.values[0] {
		r.note("the optimizer %s is the same arithmetic as %s here", l.values[0], name)
	}
	return r.put(l, "optim", name)
}

var schedules = map[string]string{
	"linear_decay_with_warmup": "linear", "cosine_with_warmup": "cosine", "constant_with_warmup": "constant",
}

func schedule(r *reader, l *leaf) error {
	name, ok := schedules[l.values[0]]
	if !ok {
		return r.fail(l, "%s is not supported: %s are", l.values[0], strings.Join(slices.Sorted(maps.Keys(schedules)), ", "))
	}
	return r.put(l, "lr-schedule", name)
}

func opposite(l *leaf) string {
	if len(l.values) == 1 && l.values[0] == "false" {
		return "true"
	}
	if len(l.values) == 1 && l.values[0] == "true" {
		return "false"
	}
	return strings.Join(l.values, ",")
}

func shuffle(r *reader, l *leaf) error { return r.put(l, "no-shuffle", opposite(l)) }

func packing(r *reader, l *leaf) error {
	r.note("%s: rows are packed; how many go together follows from memory", l.path)
	return r.put(l, "packing", "true")
}

func keep(r *reader, l *leaf) error {
	if l.values[0] == "-1" {
		r.note("%s: -1 keeps all checkpoints: 1000 are kept", l.path)
		return r.put(l, "keep", "1000")
	}
	return r.put(l, "keep", l.values...)
}

// folder takes where the adapter goes, if that is here.
func folder(r *reader, l *leaf) error {
	if strings.Contains(l.values[0], "://") || strings.Contains(l.values[0], "{") {
		r.note("%s is %s, which is not on this machine: --lora-out names a folder", l.path, l.values[0])
		return nil
	}
	return r.put(l, "lora-out", l.values...)
}

// dataset finds the data of a loader.
func (r *reader) dataset(loader string, said map[string]*leaf) error {
	value := func(key string) string {
		if l := said[key]; l != nil && len(l.values) == 1 {
			return l.values[0]
		}
		return ""
	}
	if l := said["remote"]; value("remote") != "" {
		return r.fail(l, "nothing is downloaded: copy the data here, and name the folder as local")
	}
	if l := said["preprocessing_fn"]; value("preprocessing_fn") != "" {
		return r.fail(l, "functions of Python are not supported: give the columns, {prompt: COLUMN, response: COLUMN}")
	}
	for key, flag := range map[string]string{"preprocessing_fn.prompt": "prompt-field", "preprocessing_fn.response": "response-field"} {
		if l := said[key]; l != nil {
			if err := r.put(l, flag, l.values...); err != nil {
				return err
			}
		}
	}
	l, paths, err := r.paths(said, value)
	if err != nil || paths == nil {
		return err
	}
	if loader == "eval_loader" {
		return r.put(l, "eval-file", paths...)
	}
	return r.put(l, "train-data", paths...)
}

// paths returns the files of a data set, and the key that says so.
func (r *reader) paths(said map[string]*leaf, value func(string) string) (*leaf, []string, error) {
	split := value("split")
	if local := value("local"); local != "" && value("hf_name") == "" {
		return said["local"], []string{filepath.Join(local, split)}, nil
	}
	name := said["hf_name"]
	if name == nil || len(name.values) == 0 {
		return nil, nil, nil
	}
	for _, key := range []string{"hf_kwargs.data_files." + split, "hf_kwargs.data_files"} {
		if l := said[key]; l != nil && len(l.values) > 0 && !l.nested {
			return l, l.values, nil
		}
	}
	if l := said["hf_kwargs.data_dir"]; l != nil && len(l.values) == 1 {
		return l, l.values, nil
	}
	switch path := name.values[0]; {
	case slices.Contains([]string{"json", "csv", "parquet"}, path):
		return nil, nil, r.fail(name, "hf_kwargs.data_dir or hf_kwargs.data_files has to say where the files are")
	case strings.HasPrefix(path, ".") || filepath.IsAbs(path):
		return name, []string{path}, nil
	default:
		return nil, nil, r.fail(name, "nothing is downloaded: save the data of %s as files, and name them in hf_kwargs.data_files with hf_name json, csv or parquet", path)
	}
}
