package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Beside are the files beside a vocabulary, nil where there is none, and what has to be
// known to read them.
type Beside struct {
	SpecialTokens []byte // special_tokens_map.json
	Config        []byte // tokenizer_config.json
	AddedTokens   []byte // added_tokens.json

	// Rows is the number of rows of the embedding, 0 if it is not known. A special
	// token without a row is left out if nothing uses it, and an error else.
	Rows int

	// Logf, if not nil, is told what a user should know although it is no error.
	Logf func(format string, args ...any)
}

// The names of the files.
const (
	mapFile    = "special_tokens_map.json"
	configFile = "tokenizer_config.json"
	addedFile  = "added_tokens.json"
)

// jsonConfig is what special_tokens_map.json and tokenizer_config.json say
// about a tokenizer. Both hold much else that has no effect on ids.
type jsonConfig struct {
	BOS            jsonToken            `json:"bos_token"`
	EOS            jsonToken            `json:"eos_token"`
	UNK            jsonToken            `json:"unk_token"`
	SEP            jsonToken            `json:"sep_token"`
	PAD            jsonToken            `json:"pad_token"`
	CLS            jsonToken            `json:"cls_token"`
	MASK           jsonToken            `json:"mask_token"`
	Additional     jsonTokens           `json:"additional_special_tokens"`
	Extra          jsonTokens           `json:"extra_special_tokens"`
	AddBOS         *bool                `json:"add_bos_token"`
	AddEOS         bool                 `json:"add_eos_token"`
	AddPrefixSpace *bool                `json:"add_prefix_space"`
	Legacy         *bool                `json:"legacy"`
	ChatTemplate   jsonTemplate         `json:"chat_template"`
	Added          map[string]jsonAdded `json:"added_tokens_decoder"`
}

// jsonToken is a token's text, or an object with its text as content, or null.
type jsonToken struct {
	named bool    // whether the key is there
	text  *string // nil also for the empty text, which names no token
	how   jsonAdded
}

// UnmarshalJSON accepts all three forms.
func (t *jsonToken) UnmarshalJSON(b []byte) error {
	t.named = true
	if string(b) == "null" {
		return nil
	}
	var text string
	if json.Unmarshal(b, &text) != nil {
		var token struct {
			Content *string `json:"content"`
			jsonAdded
		}
		if err := json.Unmarshal(b, &token); err != nil || token.Content == nil {
			return fmt.Errorf("%s names no token", b)
		}
		text, t.how = *token.Content, token.jsonAdded
	}
	if text != "" {
		t.text = &text
	}
	return nil
}

// is reports whether t and u name the same token, or both none.
func (t jsonToken) is(u jsonToken) bool {
	if t.text == nil || u.text == nil {
		return t.text == u.text
	}
	return *t.text == *u.text
}

// jsonTokens is a list of tokens, or an object with tokens by their purposes, or null.
type jsonTokens []jsonToken

// UnmarshalJSON keeps the order of an object: it decides about new ids.
func (t *jsonTokens) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	switch b[0] {
	case '[':
		return json.Unmarshal(b, (*[]jsonToken)(t))
	case '{':
	default:
		return fmt.Errorf("%s is no list of tokens", b)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.Token()
	for d.More() {
		if _, err := d.Token(); err != nil {
			return err
		}
		var one jsonToken
		if err := d.Decode(&one); err != nil {
			return err
		}
		*t = append(*t, one)
	}
	return nil
}

// jsonTemplate is a chat template, or a list of named ones or an object with them, of
// which that called "default" is the one that is used if none is asked for.
type jsonTemplate struct {
	main  string
	named map[string]string
}

// UnmarshalJSON accepts all forms.
func (t *jsonTemplate) UnmarshalJSON(b []byte) error {
	var list []struct {
		Name     string `json:"name"`
		Template string `json:"template"`
	}
	all := map[string]string{}
	switch b[0] {
	case '[':
		if err := json.Unmarshal(b, &list); err != nil {
			return err
		}
		for _, n := range list {
			all[n.Name] = n.Template
		}
	case '{':
		if err := json.Unmarshal(b, &all); err != nil {
			return err
		}
	default:
		return json.Unmarshal(b, &t.main)
	}
	t.main = all["default"]
	delete(all, "default")
	if len(all) > 0 {
		t.named = all
	}
	return nil
}

// Configure adds tokens, sets the special ids, AddBOS and the chat template, as the
// files beside a vocabulary say.
//
// Tokens of added_tokens_decoder in tokenizer_config.json that are not in the
// vocabulary are added, as in the reference; without that key those of
// added_tokens.json, and special_tokens_map.json counts before tokenizer_config.json.
// Then the special tokens are added that are still missing: each gets the next free
// id. Bos and eos have to be there. Files that contradict the vocabulary are errors.
//
// If no file mentions bos, eos or the unknown token, each is <|endoftext|> where
// the vocabulary has it: the reference's GPT-NeoX tokenizer has these defaults.
// Of a sentencepiece model that is so for eos only, if the model names none.
func (v *Vocab) Configure(b Beside) error {
	if b.Logf == nil {
		b.Logf = func(string, ...any) {}
	}
	c := configuration{Beside: b, v: v}
	if err := c.read(); err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	if err := c.apply(); err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	return nil
}

// read reads the files.
func (c *configuration) read() error {
	for _, f := range []struct {
		name string
		b    []byte
		into any
	}{{mapFile, c.SpecialTokens, &c.special}, {configFile, c.Config, &c.config}, {addedFile, c.AddedTokens, &c.added}} {
		if f.b == nil {
			continue
		}
		if err := json.Unmarshal(f.b, f.into); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	c.modern = c.config.Added != nil
	return nil
}

// settings sets what is no token.
func (c *configuration) settings(file string, f *jsonConfig) error {
	v := c.v
	switch {
	case f.AddPrefixSpace != nil && *f.AddPrefixSpace != v.AddSpacePrefix:
		return fmt.Errorf("%s: add_prefix_space %v is not supported for this model", file, *f.AddPrefixSpace)
	case f.Legacy != nil && !*f.Legacy && v.AddSpacePrefix:
		return fmt.Errorf("%s: legacy false is not supported: a space would have to be left out after control tokens", file)
	case f.AddEOS:
		return fmt.Errorf("%s: add_eos_token is not supported: prompts would end with eos", file)
	}
	if f.AddBOS != nil {
		v.AddBOS = *f.AddBOS
	}
	if f.ChatTemplate.main != "" {
		v.ChatTemplate = f.ChatTemplate.main
	}
	if f.ChatTemplate.named != nil {
		v.Templates = f.ChatTemplate.named
	}
	return nil
}
