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
	"mptgo/mpt/lora"
	"mptgo/mpt/tokenizer"
)

// The two matrices that have a row for every token.
const (
	embeddingName = "token_embd.weight"
	outputName    = "output.weight"
)

// A resizing is what an adapter does to the vocabulary of a model whose embedding it
// brings along with another number of rows.
type resizing struct {
	rows int    // of the embedding, and so tokens
	dir  string // of the adapter, with its tokenizer if there is one
}

// resize gives the embedding, and the output matrix, the rows that an adapter has for
// them. As in transformers an output matrix that is tied stays so, unless the adapter has
// another one.
func (p *plan) resize(a *lora.Adapter, logf func(string, ...any)) error {
	in, out := takeWhole(a, embeddingName), takeWhole(a, outputName)
	wte, head := p.find(embeddingName), p.find(outputName)
	isOther := func(m *lora.Matrix) bool {
		return m != nil && wte != nil && m.Cols == wte.info.Ne[0] && m.Rows != wte.info.Ne[1]
	}
	if !isOther(in) && !isOther(out) {
		return nil
	}
	before := wte.info.Ne[1]
	switch {
	case in == nil:
		return fmt.Errorf("%s: it brings along an output matrix of %d rows and no embedding; that of the model has %d rows", a.Path, out.Rows, before)
	case head != nil && out == nil:
		return fmt.Errorf("%s: it brings along an embedding of %d rows and no output matrix; that of the model has %d rows", a.Path, in.Rows, before)
	case out != nil && (out.Rows != in.Rows || out.Cols != in.Cols):
		return fmt.Errorf("%s: an embedding of %d x %d and an output matrix of %d x %d do not belong together", a.Path, in.Rows, in.Cols, out.Rows, out.Cols)
	case in.Rows > maxVocab:
		return fmt.Errorf("%s: an embedding of %d rows, more than the %d of the largest vocabulary that is believed", a.Path, in.Rows, maxVocab)
	}
	drop(a, embeddingName)
	drop(a, outputName)
	wte.replace(in)
	if out != nil {
		if err := p.resizeHead(out, in); err != nil {
			return err
		}
	}
	p.resized = &resizing{in.Rows, a.Path}
	logf("%s: the embedding, which the adapter brings along, has %d rows where the model had %d", a.Path, in.Rows, before)
	return nil
}

// resizeHead gives the model an output matrix, unless it is the embedding.
func (p *plan) resizeHead(out, in *lora.Matrix) error {
	if head := p.find(outputName); head != nil {
		head.replace(out)
		return nil
	}
	same, err := sameMatrix(out, in)
	if err != nil || same {
		return err
	}
	head := *p.find(embeddingName)
	head.info.Name, head.info.Ne = outputName, slices.Clone(head.info.Ne)
	p.tensors = append(p.tensors, head)
	p.find(outputName).replace(out)
	return nil
}

// replace makes m what a tensor is made of.
func (o *output) replace(m *lora.Matrix) {
	o.info.Ne = []int{m.Cols, m.Rows}
	o.parts = []part{thinSource(m).whole()}
	o.folded = true
}

func takeWhole(a *lora.Adapter, target string) *lora.Matrix {
	for _, w := range a.Whole {
		if w.Target == target {
			return w.Value
		}
	}
	return nil
}

func drop(a *lora.Adapter, target string) {
	a.Whole = slices.DeleteFunc(a.Whole, func(w lora.Whole) bool { return w.Target == target })
}

// sameMatrix reports whether two matrices of an adapter have the same values.
func sameMatrix(a, b *lora.Matrix) (bool, error) {
	return a.Equals(lora.Rows{Type: b.Type, Rows: b.Rows, Cols: b.Cols, Read: b.ReadRows})
}

// vocabularyFiles are those of which one is in every tokenizer's folder.
var vocabularyFiles = []string{"tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json"}

// hasTokenizer reports whether the adapter's folder holds a tokenizer.
func (r *resizing) hasTokenizer() bool {
	return slices.ContainsFunc(vocabularyFiles, func(name string) bool {
		_, err := os.Lstat(filepath.Join(r.dir, name))
		return err == nil
	})
}

// file returns a file of the tokenizer: the adapter's if it has one, else the base's.
// What both have a use for, the ids that end an answer, may be the base's.
func (r *resizing) file(base func(string) ([]byte, error)) func(string) ([]byte, error) {
	if r == nil || !r.hasTokenizer() {
		return base
	}
	return func(name string) ([]byte, error) {
		b, err := checkpoint.ReadFile(r.dir, name)
		if errors.Is(err, fs.ErrNotExist) && name == "generation_config.json" {
			return base(name)
		}
		return b, err
	}
}

// meta returns the keys of a model file with a vocabulary for the new rows: that of the
// adapter's tokenizer or, without one, the model's own with tokens that nothing uses.
func (r *resizing) meta(kv []gguf.KV, logf func(string, ...any)) ([]gguf.KV, error) {
	if r == nil {
		return kv, nil
	}
	kv = slices.Clone(kv)
	for i := range kv {
		if kv[i].Key == "mpt.vocab_size" {
			kv[i].Value = uint32(r.rows)
		}
	}
	if !r.hasTokenizer() {
		logf("%s: there is no tokenizer beside the adapter: the vocabulary is the model's, with %d tokens", r.dir, r.rows)
		return kv, padKeys(kv, r.rows)
	}
	none := func(name string) ([]byte, error) { return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist) }
	v, err := readVocabulary(r.file(none), r.rows, logf)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.dir, err)
	}
	kv = slices.DeleteFunc(kv, func(k gguf.KV) bool { return strings.HasPrefix(k.Key, "tokenizer.") })
	return append(kv, v.Meta()...), nil
}

// padKeys gives the lists of tokens another length. Only tokens that nothing uses can be
// taken away.
func padKeys(kv []gguf.KV, rows int) error {
	const unused = int32(tokenizer.Unused)
	var tokens []string
	var types []int32
	for i := range kv {
		switch kv[i].Key {
		case "tokenizer.ggml.tokens":
			tokens, _ = kv[i].Value.([]string)
			all := resized(tokens, rows, "")
			for n := len(tokens); n < rows; n++ {
				all[n] = fmt.Sprintf("[PAD%d]", n)
			}
			kv[i].Value = all
		case "tokenizer.ggml.token_type":
			types, _ = kv[i].Value.([]int32)
			kv[i].Value = resized(types, rows, unused)
		case "tokenizer.ggml.scores":
			scores, _ := kv[i].Value.([]float32)
			kv[i].Value = resized(scores, rows, -10000)
		}
	}
	for i := rows; i < len(tokens); i++ {
		if i >= len(types) || types[i] != unused {
			return fmt.Errorf("the model's vocabulary has %q as token %d, the adapter's embedding only %d rows, and there is no tokenizer beside it", tokens[i], i, rows)
		}
	}
	return nil
}

// resized returns the first n values, and more of one kind where there are fewer.
func resized[T any](v []T, n int, more T) []T {
	w := make([]T, n)
	for i := copy(w, v); i < n; i++ {
		w[i] = more
	}
	return w
}
