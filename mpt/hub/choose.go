package hub

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// checkpointFiles are the small files of a checkpoint, or of a LoRA adapter, that say
// what the weights mean.
var checkpointFiles = []string{
	"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "spiece.model",
	"special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "chat_template.jinja", "chat_template.json",
	"adapter_config.json", "adapter_model.safetensors", "adapter_model.bin",
}

// weightForms are the forms of weights, the better ones first, with their indexes.
var weightForms = []struct {
	single string // the file of all weights, before shards that an earlier save may have left
	shards *regexp.Regexp
	index  string
}{
	{"model.safetensors", regexp.MustCompile(`^model-\d+-of-\d+\.safetensors$`), "model.safetensors.index.json"},
	{"pytorch_model.bin", regexp.MustCompile(`^pytorch_model-\d+-of-\d+\.bin$`), "pytorch_model.bin.index.json"},
}

// moreTemplates matches the chat templates beside the one of chat_template.jinja.
var moreTemplates = regexp.MustCompile(`^additional_chat_templates/[^/]+\.jinja$`)

// ChooseCheckpoint returns those of files that a checkpoint needs: what describes it,
// and its weights in one form, safetensors if there are any. Programs are never taken.
// It returns nil if there is no config.json and no adapter_config.json.
func ChooseCheckpoint(files []File) []File {
	chosen := pick(files, func(f File) bool {
		return slices.Contains(checkpointFiles, f.Path) || moreTemplates.MatchString(f.Path)
	})
	if !slices.ContainsFunc(chosen, func(f File) bool { return f.Path == "config.json" || f.Path == "adapter_config.json" }) {
		return nil
	}
	if has(chosen, "adapter_model.safetensors") {
		chosen = slices.DeleteFunc(chosen, func(f File) bool { return f.Path == "adapter_model.bin" })
	}
	for _, form := range weightForms {
		if has(files, form.single) {
			return append(chosen, pick(files, func(f File) bool { return f.Path == form.single })...)
		}
		weights := pick(files, func(f File) bool { return form.shards.MatchString(f.Path) || f.Path == form.index })
		if slices.ContainsFunc(weights, func(f File) bool { return f.Path != form.index }) {
			return append(chosen, weights...)
		}
	}
	return chosen
}

// unread are the extensions of weights in forms that are not read.
var unread = []string{".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".npz", ".safetensors", ".bin"}

// noWeights matches the names of files that a training leaves beside the weights.
var noWeights = regexp.MustCompile(`^(optimizer|scheduler|scaler|rng_state|training_args|trainer_state)`)

// OtherWeights returns those of files that look like weights, if none of them are in a
// form that [ChooseCheckpoint] takes.
func OtherWeights(files []File) []File {
	if slices.ContainsFunc(ChooseCheckpoint(files), isTensors) {
		return nil
	}
	return pick(files, func(f File) bool {
		return slices.Contains(unread, strings.ToLower(path.Ext(f.Path))) && !noWeights.MatchString(path.Base(f.Path))
	})
}

// isTensors reports whether a file of a checkpoint holds tensors.
func isTensors(f File) bool {
	ext := path.Ext(f.Path)
	return ext == ".safetensors" || ext == ".bin"
}

func pick(files []File, want func(File) bool) (some []File) {
	for _, f := range files {
		if want(f) {
			some = append(some, f)
		}
	}
	return some
}

func has(files []File, path string) bool {
	return slices.ContainsFunc(files, func(f File) bool { return f.Path == path })
}

// noModels are parts of the names of GGUF files that hold something else.
var noModels = []string{"mmproj", "imatrix", "mtp-", "eagle3-", "dflash-", "dspark-"}

// GGUFs returns those of files that are models in GGUF; of a split one, the first part.
func GGUFs(files []File) []File {
	return pick(files, func(f File) bool {
		name := strings.ToLower(path.Base(f.Path))
		if !strings.HasSuffix(name, ".gguf") || slices.ContainsFunc(noModels, func(s string) bool { return strings.Contains(name, s) }) {
			return false
		}
		part := splitName.FindStringSubmatch(f.Path)
		return part == nil || part[2] == "00001"
	})
}

// splitName matches the parts of a split file: PREFIX-00001-of-00003.gguf.
var splitName = regexp.MustCompile(`(?i)^(.*)-(\d{5})-of-(\d{5})\.gguf$`)

// defaultTags are what is taken when nobody says which, the best first.
var defaultTags = []string{"Q4_K_M", "Q8_0"}

// ChooseGGUF returns the GGUF file with a tag, such as Q4_K_M, as llama.cpp chooses it,
// and all its parts if it is split; the first one comes first. Without a tag it is
// Q4_K_M, else Q8_0, else the first there is. It returns nil if there are no models at
// all, and an error that lists them if none has the tag.
func ChooseGGUF(files []File, tag string) ([]File, error) {
	all := GGUFs(files)
	sortFiles(all)
	tags := []string{tag}
	if tag == "" || strings.EqualFold(tag, "latest") {
		tag, tags = "", defaultTags
	}
	for _, t := range tags {
		for _, f := range all {
			if hasTag(f.Path, t) {
				return parts(files, f)
			}
		}
	}
	switch {
	case len(all) == 0:
		return nil, nil
	case tag == "":
		return parts(files, all[0])
	}
	return nil, fmt.Errorf("hub: %w: no GGUF file with the tag %s: there are %s", ErrFile, tag, names(all))
}

// hasTag reports whether a tag is in a path, followed by a dot or a hyphen.
func hasTag(path, tag string) bool {
	path, tag = strings.ToLower(path), strings.ToLower(tag)
	for at := 0; ; {
		i := strings.Index(path[at:], tag)
		if i < 0 {
			return false
		}
		at += i + len(tag)
		if at < len(path) && (path[at] == '.' || path[at] == '-') {
			return true
		}
	}
}

// parts returns all parts of the file that f is the first one of.
func parts(files []File, f File) ([]File, error) {
	m := splitName.FindStringSubmatch(f.Path)
	if m == nil {
		return []File{f}, nil
	}
	found := pick(files, func(g File) bool {
		n := splitName.FindStringSubmatch(g.Path)
		return n != nil && n[1] == m[1] && n[3] == m[3]
	})
	sortFiles(found)
	if fmt.Sprintf("%05d", len(found)) != m[3] {
		return nil, fmt.Errorf("hub: %w: %s has %d of its parts, not %s", ErrFile, f.Path, len(found), m[3])
	}
	return found, nil
}

// Select returns those of files that a pattern of include matches, all without one, but
// none that one of exclude matches. Patterns are those of a shell, in which * also
// matches slashes, as in huggingface_hub.
func Select(files []File, include, exclude []string) ([]File, error) {
	in, err := patterns(include)
	if err != nil {
		return nil, err
	}
	out, err := patterns(exclude)
	if err != nil {
		return nil, err
	}
	matches := func(list []*regexp.Regexp, f File) bool {
		return slices.ContainsFunc(list, func(r *regexp.Regexp) bool { return r.MatchString(f.Path) })
	}
	return pick(files, func(f File) bool { return (len(in) == 0 || matches(in, f)) && !matches(out, f) }), nil
}

// patterns compiles patterns of a shell; one that ends with a slash stands for a folder.
func patterns(globs []string) (list []*regexp.Regexp, err error) {
	for _, g := range globs {
		if strings.HasSuffix(g, "/") {
			g += "*"
		}
		text := regexp.QuoteMeta(g)
		for _, r := range [][2]string{{`\*`, `.*`}, {`\?`, `.`}, {`\[!`, `[^`}, {`\[`, `[`}, {`\]`, `]`}} {
			text = strings.ReplaceAll(text, r[0], r[1])
		}
		r, err := regexp.Compile(`(?s)^` + text + `$`)
		if err != nil {
			return nil, fmt.Errorf("hub: %q is no pattern: want one such as *.json", g)
		}
		list = append(list, r)
	}
	return list, nil
}
