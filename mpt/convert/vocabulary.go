package convert

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"mptgo/mpt/checkpoint"
	"mptgo/mpt/tokenizer"
)

// vocabulary reads the tokenizer of the checkpoint, with one token for every row of
// the embedding.
func (m *model) vocabulary() (*tokenizer.Vocab, error) {
	b, err := m.ck.File("tokenizer.json")
	if err != nil {
		return nil, m.noTokenizer(err)
	}
	v, err := tokenizer.ParseJSON(b)
	if err != nil {
		return nil, err
	}
	if err := m.configure(v); err != nil {
		return nil, err
	}
	if err := v.Pad(m.vocab); err != nil {
		return nil, err
	}
	// Only a tokenizer that can be built is worth writing.
	if _, err := tokenizer.New(v); err != nil {
		return nil, err
	}
	return v, nil
}

// configure adds what the files beside tokenizer.json say. A template in a file of
// its own replaces that of tokenizer_config.json, as in the reference.
func (m *model) configure(v *tokenizer.Vocab) error {
	special, err := m.optional("special_tokens_map.json")
	if err != nil {
		return err
	}
	config, err := m.optional("tokenizer_config.json")
	if err != nil {
		return err
	}
	if err := v.Configure(special, config); err != nil {
		return err
	}
	template, err := m.optional("chat_template.jinja")
	if err != nil {
		return err
	}
	if template != nil {
		v.ChatTemplate = string(template)
	}
	return m.generation(v)
}

// optional returns the content of a file of the checkpoint, or nil if there is no
// such file.
func (m *model) optional(name string) ([]byte, error) {
	b, err := m.ck.File(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// noTokenizer explains a tokenizer.json that cannot be read.
func (m *model) noTokenizer(err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, name := range []string{"tokenizer.model", "spiece.model"} {
		if b, _ := m.ck.File(name); b != nil {
			return fmt.Errorf("the vocabulary is in %s: sentencepiece is not supported yet: %w", name, errors.ErrUnsupported)
		}
	}
	return fmt.Errorf("%w: the vocabulary is in it", err)
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
func (m *model) generation(v *tokenizer.Vocab) error {
	const name = "generation_config.json"
	b, err := m.optional(name)
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
