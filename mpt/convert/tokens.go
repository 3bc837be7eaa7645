package convert

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mptgo/gguf"
	"mptgo/mpt/checkpoint"
	"mptgo/mpt/tokenizer"
)

// adapterTokens is what a merged adapter has to say about the vocabulary.
type adapterTokens struct {
	dir  string // of the adapter, with its tokenizer if there is one
	rows int    // of the embedding that it brings along; 0: as many as before
}

// vocabularyFiles are those of which one is in every tokenizer's folder.
var vocabularyFiles = []string{"tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json"}

// hasTokenizer reports whether the adapter's folder holds a tokenizer.
func (a adapterTokens) hasTokenizer() bool {
	return slices.ContainsFunc(vocabularyFiles, func(name string) bool {
		_, err := os.Lstat(filepath.Join(a.dir, name))
		return err == nil
	})
}

// read returns the adapter's vocabulary with so many tokens. Which tokens end an answer
// may be said by base's files, which hold it for the model.
func (a adapterTokens) read(base func(string) ([]byte, error), rows int, logf func(string, ...any)) (*tokenizer.Vocab, error) {
	v, err := readVocabulary(a.dir, func(name string) ([]byte, error) {
		b, err := checkpoint.ReadFile(a.dir, name)
		if errors.Is(err, fs.ErrNotExist) && name == "generation_config.json" && base != nil {
			return base(name)
		}
		return b, err
	}, rows, logf)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.dir, err)
	}
	return v, nil
}

// A vocabularyOf is what is known of the vocabulary of a model while adapters are merged.
type vocabularyOf struct {
	texts    []string
	template string // for chats
	unused   func(id int) bool
	base     func(string) ([]byte, error) // the files of the model, or nil
}

// choose returns the vocabulary that an adapter gives a model: nil if that keeps its own.
// An embedding of another size has that of the tokenizer beside it. One of the same size
// may still have tokens where the model has rows that nothing uses; these are taken, too.
func (a adapterTokens) choose(old vocabularyOf, logf func(string, ...any)) (*tokenizer.Vocab, error) {
	switch {
	case !a.hasTokenizer() && a.rows == 0:
		return nil, nil
	case !a.hasTokenizer():
		logf("%s: there is no tokenizer beside the adapter: the vocabulary is the model's, with %d tokens",
			a.dir, a.rows)
		return nil, nil
	case a.rows != 0:
		return a.read(old.base, a.rows, logf)
	}
	v, err := a.read(old.base, len(old.texts), func(string, ...any) {})
	if err != nil {
		logf("%v: the model keeps its own tokenizer", err)
		return nil, nil
	}
	added, other := 0, -1
	for id, text := range old.texts {
		switch {
		case v.Tokens[id] == text:
		case old.unused(id):
			added++
		case other < 0:
			other = id
		}
	}
	switch {
	case other >= 0:
		logf("%s: the tokenizer beside the adapter calls token %d %q, the model %q: the model keeps its own",
			a.dir, other, v.Tokens[other], old.texts[other])
		return nil, nil
	case added == 0:
		if v.ChatTemplate != "" && v.ChatTemplate != old.template {
			logf("%s: the tokenizer beside the adapter has another chat template: the model keeps its own", a.dir)
		}
		return nil, nil
	}
	logf("%s: the tokenizer beside the adapter has tokens for %d rows of the embedding that the model does not use: it becomes the model's", a.dir, added)
	return v, nil
}

// chooseTokens returns the vocabulary of a checkpoint with adapters.
func (m *model) chooseTokens(adapters []adapterTokens) (*tokenizer.Vocab, error) {
	rows := m.vocab
	for _, a := range adapters {
		if a.rows != 0 {
			rows = a.rows
		}
	}
	if i := slices.IndexFunc(adapters, func(a adapterTokens) bool { return a.rows != 0 && a.hasTokenizer() }); i >= 0 {
		return adapters[i].read(m.ck.File, rows, m.logf)
	}
	v, err := readVocabulary(m.ck.Dir(), m.ck.File, rows, m.logf)
	for _, a := range adapters {
		if err != nil {
			return nil, err
		}
		old := vocabularyOf{v.Tokens, v.ChatTemplate, func(id int) bool { return v.Types[id] == tokenizer.Unused }, m.ck.File}
		var w *tokenizer.Vocab
		if w, err = a.choose(old, m.logf); w != nil {
			v = w
		}
	}
	return v, err
}

// The keys of a model file that lists of tokens are under.
const (
	keyTemplate = "tokenizer.chat_template"
	keyTokens   = "tokenizer.ggml.tokens"
	keyTypes    = "tokenizer.ggml.token_type"
	keyScores   = "tokenizer.ggml.scores"
	keyEOT      = "tokenizer.ggml.eot_token_id"
	keyEOG      = "mpt.ext.eog_token_ids"
)

// chooseKeys returns the keys of a model file with adapters.
func chooseKeys(kv []gguf.KV, adapters []adapterTokens, logf func(string, ...any)) ([]gguf.KV, error) {
	for _, a := range adapters {
		texts, types := valueOf[[]string](kv, keyTokens), valueOf[[]int32](kv, keyTypes)
		unused := func(id int) bool {
			return texts[id] == fmt.Sprintf("[PAD%d]", id) || id < len(types) && types[id] == int32(tokenizer.Unused)
		}
		v, err := a.choose(vocabularyOf{texts, valueOf[string](kv, keyTemplate), unused, nil}, logf)
		switch {
		case err != nil:
			return nil, err
		case v != nil:
			kv = replaceTokens(kv, v)
		case a.rows != 0:
			if err := checkCut(texts, unused, a.rows); err != nil {
				return nil, err
			}
			kv = padKeys(kv, a.rows)
		}
	}
	return kv, nil
}

// valueOf returns the value of a key, or the zero value.
func valueOf[T any](kv []gguf.KV, key string) (v T) {
	for _, k := range kv {
		if k.Key == key {
			v, _ = k.Value.(T)
		}
	}
	return v
}

// replaceTokens returns the keys of a model with another vocabulary. If its files do not
// say which tokens end an answer besides eos, those of the model do, if they are the same.
func replaceTokens(kv []gguf.KV, v *tokenizer.Vocab) []gguf.KV {
	if texts := valueOf[[]string](kv, keyTokens); len(v.EOG) == 0 {
		for _, id := range endsOf(kv) {
			if int(id) < min(len(texts), len(v.Tokens)) && texts[id] == v.Tokens[id] {
				v.EOG = append(v.EOG, id)
			}
		}
	}
	meta := v.Meta()
	kept := slices.DeleteFunc(slices.Clone(kv), func(k gguf.KV) bool {
		return strings.HasPrefix(k.Key, "tokenizer.") || strings.HasPrefix(k.Key, "mpt.ext.") &&
			strings.HasSuffix(k.Key, "_token_ids") ||
			slices.ContainsFunc(meta, func(n gguf.KV) bool { return n.Key == k.Key })
	})
	return setSize(append(kept, meta...), len(v.Tokens))
}

// endsOf returns the tokens that end an answer besides eos.
func endsOf(kv []gguf.KV) []int32 {
	if ends := valueOf[[]int32](kv, keyEOG); ends != nil {
		return ends
	}
	if eot := valueOf[uint32](kv, keyEOT); eot != 0 {
		return []int32{int32(eot)}
	}
	return nil
}

// setSize sets the number of tokens where a file says it.
func setSize(kv []gguf.KV, rows int) []gguf.KV {
	for i := range kv {
		if kv[i].Key == "mpt.vocab_size" {
			kv[i].Value = uint32(rows)
		}
	}
	return kv
}

// checkCut refuses to take away tokens that are used.
func checkCut(texts []string, unused func(int) bool, rows int) error {
	for id := rows; id < len(texts); id++ {
		if !unused(id) {
			return fmt.Errorf("the model's vocabulary has %q as token %d, the adapter's embedding only %d rows, and there is no tokenizer beside it", texts[id], id, rows)
		}
	}
	return nil
}

// padKeys returns keys with lists of tokens of another length.
func padKeys(kv []gguf.KV, rows int) []gguf.KV {
	kv = setSize(slices.Clone(kv), rows)
	for i := range kv {
		switch v := kv[i].Value.(type) {
		case []string:
			if kv[i].Key == keyTokens {
				all := resized(v, rows, "")
				for n := len(v); n < rows; n++ {
					all[n] = fmt.Sprintf("[PAD%d]", n)
				}
				kv[i].Value = all
			}
		case []int32:
			if kv[i].Key == keyTypes {
				kv[i].Value = resized(v, rows, int32(tokenizer.Unused))
			}
		case []float32:
			if kv[i].Key == keyScores {
				kv[i].Value = resized(v, rows, -10000)
			}
		}
	}
	return kv
}

// resized returns the first n values, and more of one kind where there are fewer.
func resized[T any](v []T, n int, more T) []T {
	w := make([]T, n)
	for i := copy(w, v); i < n; i++ {
		w[i] = more
	}
	return w
}
