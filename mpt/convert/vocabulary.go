package convert

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"mptgo/mpt/checkpoint"
	"mptgo/mpt/tokenizer"
)

// readVocabulary reads the tokenizer in the folder dir, whose files are what file returns,
// with so many tokens.
func readVocabulary(dir string, file func(name string) ([]byte, error), rows int, logf func(string, ...any)) (*tokenizer.Vocab, error) {
	v, err := ReadVocabulary(file, logf)
	if err != nil {
		return nil, err
	}
	if err := v.Pad(rows); err != nil {
		return nil, err
	}
	// Only a tokenizer that can be built is worth writing.
	if _, err := tokenizer.New(v); err != nil {
		return nil, err
	}
	return v, nil
}

// ReadVocabulary reads the tokenizer of a checkpoint from its files: those of
// tokenizer.json or of a sentencepiece model, and what the files beside it say.
// File returns the content of one, or an error that wraps [fs.ErrNotExist]. Logf is
// told what a user should know although it is no error.
func ReadVocabulary(file func(name string) ([]byte, error), logf func(string, ...any)) (*tokenizer.Vocab, error) {
	f := files{file}
	v, err := f.tokenizer(logf)
	if err != nil {
		return nil, err
	}
	return v, f.configure(v)
}

// files are the small files of a checkpoint.
type files struct {
	file func(name string) ([]byte, error)
}

// tokenizer reads the first of the files that a vocabulary may be in. Where there
// are both kinds, tokenizer.json may be a conversion of the model to steps that are
// not supported; then the model counts.
func (f files) tokenizer(logf func(string, ...any)) (*tokenizer.Vocab, error) {
	b, err := f.file("tokenizer.json")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	missing := err
	var refused error
	if b != nil {
		var v *tokenizer.Vocab
		if v, refused = tokenizer.ParseJSON(b); refused == nil {
			return v, nil
		}
	}
	for _, name := range []string{"tokenizer.model", "spiece.model"} {
		b, err := f.optional(name)
		if err != nil {
			return nil, err
		}
		if b == nil {
			continue
		}
		if refused != nil {
			logf("%v: %s is read instead", refused, name)
		}
		v, err := tokenizer.ParseSentencepiece(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return v, f.added(v)
	}
	if refused != nil {
		return nil, refused
	}
	return nil, fmt.Errorf("%w: the vocabulary is in it, or in tokenizer.model or spiece.model", missing)
}

// added takes the tokens that were added to a sentencepiece model.
func (f files) added(v *tokenizer.Vocab) error {
	b, err := f.optional("added_tokens.json")
	if b == nil {
		return err
	}
	return v.AddTokens(b)
}

// configure adds what the files beside the vocabulary say. A template in a file of
// its own replaces that of tokenizer_config.json, as in the reference.
func (f files) configure(v *tokenizer.Vocab) error {
	special, err := f.optional("special_tokens_map.json")
	if err != nil {
		return err
	}
	config, err := f.optional("tokenizer_config.json")
	if err != nil {
		return err
	}
	if err := v.Configure(special, config); err != nil {
		return err
	}
	template, err := f.optional("chat_template.jinja")
	if err != nil {
		return err
	}
	if template != nil {
		v.ChatTemplate = string(template)
	}
	return f.generation(v)
}

// optional returns the content of a file of the checkpoint, or nil if there is no
// such file.
func (f files) optional(name string) ([]byte, error) {
	b, err := f.file(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// ids is an id, a list of them, or null.
type ids []int32

// UnmarshalJSON accepts all three.
func (v *ids) UnmarshalJSON(b []byte) error {
	var one int32
	if string(b) == "null" {
		return nil
	}
	if json.Unmarshal(b, &one) == nil {
		*v = ids{one}
		return nil
	}
	return json.Unmarshal(b, (*[]int32)(v))
}

// generation adds the ids that end an answer by generation_config.json, and takes
// from there what the tokenizer's own files leave open.
func (f files) generation(v *tokenizer.Vocab) error {
	const name = "generation_config.json"
	b, err := f.optional(name)
	if b == nil {
		return err
	}
	var g struct {
		BOS ids `json:"bos_token_id"`
		EOS ids `json:"eos_token_id"`
		PAD ids `json:"pad_token_id"`
	}
	if err := json.Unmarshal(b, &g); err != nil {
		return fmt.Errorf("%s: %w: %v", name, checkpoint.ErrFormat, err)
	}
	for _, x := range []struct {
		id   *int
		from ids
	}{{&v.BOS, g.BOS}, {&v.EOS, g.EOS}, {&v.PAD, g.PAD}} {
		if *x.id == tokenizer.None && len(x.from) > 0 {
			*x.id = int(x.from[0])
		}
	}
	v.EOG = append(v.EOG, g.EOS...)
	return nil
}
