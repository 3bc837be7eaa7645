package convert

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"mptgo/gguf"
)

// A title is what a checkpoint is called.
type title struct {
	name  string
	from  string   // where that comes from, "" for the name of the folder itself
	bases []string // what else its files call it or the models that it was made of
}

// title finds out what the model is called. The name of the folder is the best source:
// it is the one that a user has chosen. Where it says nothing of the model, such as
// checkpoint-500 or the commit in a cache of the hub, the path to it, the card
// (README.md) and config.json do.
func (f files) title() (title, error) {
	path, err := filepath.Abs(f.dir)
	if err != nil {
		return title{}, err
	}
	own := filepath.Base(path)
	card, given := f.card(), f.nameOrPath()
	there, _ := filepath.EvalSymlinks(path) // of a link: what it stands for
	t := title{}
	for _, x := range []struct{ name, from string }{
		{hubName(path), "the cache of the hub"},
		{specific(own), ""},
		{ancestorName(path), "the folders above"},
		{hubName(there), "the cache of the hub"},
		{specific(card.name), "README.md"},
		{pathName(given), "_name_or_path in config.json"},
		{card.base(), "base_model in README.md"},
		{aboveName(path), "the folders above"},
		{own, ""},
	} {
		if x.name != "" {
			t.name, t.from = x.name, x.from
			break
		}
	}
	for _, base := range append([]string{hubName(there), card.name, repository(given)}, card.bases...) {
		t.addBase(base)
	}
	return t, nil
}

// addBase adds a name that says something else than the others.
func (t *title) addBase(base string) {
	word := lastOf(base)
	same := func(s string) bool { return strings.EqualFold(lastOf(s), word) }
	if specific(word) != "" && !same(t.name) && !slices.ContainsFunc(t.bases, same) {
		t.bases = append(t.bases, base)
	}
}

// keys returns the keys of a title. The bases have those that llama.cpp's converter
// gives them.
func (t *title) keys() []gguf.KV {
	if len(t.bases) == 0 {
		return nil
	}
	kv := []gguf.KV{{Key: "general.base_model.count", Value: uint32(len(t.bases))}}
	for i, base := range t.bases {
		kv = append(kv, gguf.KV{Key: fmt.Sprintf("general.base_model.%d.name", i), Value: base})
	}
	return kv
}

var (
	// anyModel matches names of folders that tell nothing of what is in them: words that any
	// model's folder may have, also several, such as final_model, and commits.
	anyModel = regexp.MustCompile(`(?i)^(\.|/|[0-9a-f]{40}|[0-9a-f]{64}|` + anyWord + `([-_. ]?` + anyWord + `)*)$`)

	isCommit = regexp.MustCompile(`^[0-9a-f]{40}$`)

	// anyWord matches what names of folders of any model are made of.
	anyWord = `(main|master|models?|hf|hub|huggingface|transformers|pytorch|safetensors|checkpoints?|ckpts?|` +
		`snapshots?|latest|last|best|final|merged|outputs?|out|weights|results?|f16|fp16|bf16|f32|fp32|float(16|32)|` +
		`exports?|exported|converted|saved?|trained|finetuned?|fine[-_]tuned?|tmp|temp|new|old|copy|` +
		`runs?|epochs?|steps?|rank|v?\d+)`

	// step matches folders that trainers write while they are at work: checkpoint-500, ep0-ba2000.
	step = regexp.MustCompile(`(?i)^((checkpoint|ckpt|step|global_?step|iter|epoch|ep|ba)[-_]?\d+[-_]?)+` +
		`(rank\d+)?(\.pt)?$`)

	// family matches names of models of the family.
	family = regexp.MustCompile(`(?i)(^|[^a-z])(mpt[-_ .]?\d|sea[-_ ]?lion[-_ ]?\d|replit[-_]code)`)
)

// longName is more than the name of a file can have, in bytes.
const longName = 256

// specific returns a name if it tells something of a model, else "".
func specific(name string) string {
	if len(name) >= longName || strings.ContainsFunc(name, unicode.IsControl) || anyModel.MatchString(name) ||
		step.MatchString(name) {
		return ""
	}
	return name
}

// hubName returns the name of the model whose cache a path leads into: the cache of
// huggingface_hub has folders models--OWNER--NAME.
func hubName(path string) string {
	for _, part := range slices.Backward(parts(path)) {
		if repo, ok := strings.CutPrefix(part, "models--"); ok {
			_, name, found := strings.Cut(repo, "--")
			if !found {
				name = repo
			}
			return name
		}
	}
	return ""
}

// ancestorName returns the nearest of the folders above that is called like a model of
// the family.
func ancestorName(path string) string {
	above := parts(path)
	for _, part := range slices.Backward(above[max(0, len(above)-4):max(0, len(above)-1)]) {
		if family.MatchString(part) {
			return part
		}
	}
	return ""
}

// aboveName returns the nearest folder above that says something with the name of the path,
// if the latter is one of a trainer's or says as little: pirate-checkpoint-500, pirate-final.
// Of a commit it returns the folder alone. Folders at the top and those of users say nothing.
func aboveName(path string) string {
	all := parts(path)
	own := len(all) - 1
	if own < 0 || specific(all[own]) != "" {
		return ""
	}
	for i := own - 1; i > 0 && i >= own-3 && !slices.Contains(homes, all[i-1]); i-- {
		switch {
		case specific(all[i]) == "":
		case isCommit.MatchString(all[own]):
			return all[i]
		default:
			return all[i] + "-" + all[own]
		}
	}
	return ""
}

// homes are folders of folders of users.
var homes = []string{"home", "Users"}

// pathName returns the name in what is a path, or the name of a repository.
func pathName(path string) string {
	for _, name := range []string{hubName(path), specific(lastOf(path)), ancestorName(path)} {
		if name != "" {
			return name
		}
	}
	return ""
}

// repository returns path if it looks like OWNER/NAME, else the name in it.
func repository(path string) string {
	if strings.Count(path, "/") == 1 && !strings.ContainsAny(path[:1], "./~\\") {
		return path
	}
	return pathName(path)
}

// parts returns the parts of a path, which may be of another system.
func parts(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '\\' })
}

func lastOf(path string) string {
	if all := parts(path); len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

// nameOrPath returns what config.json says that the model was loaded from: the name of
// a repository or a path, on any machine.
func (f files) nameOrPath() string {
	var c struct {
		Name any `json:"_name_or_path"`
	}
	b, err := f.optional("config.json")
	if err != nil || b == nil || json.Unmarshal(b, &c) != nil {
		return "" // what is wrong with it others say
	}
	s, _ := c.Name.(string)
	return s
}
