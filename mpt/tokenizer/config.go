package tokenizer

import (
	"encoding/json"
	"fmt"
)

// jsonConfig is what special_tokens_map.json and tokenizer_config.json say
// about a tokenizer. Both hold much else that has no effect on ids.
type jsonConfig struct {
	BOS            jsonToken            `json:"bos_token"`
	EOS            jsonToken            `json:"eos_token"`
	UNK            jsonToken            `json:"unk_token"`
	PAD            jsonToken            `json:"pad_token"`
	AddBOS         *bool                `json:"add_bos_token"`
	AddEOS         bool                 `json:"add_eos_token"`
	AddPrefixSpace *bool                `json:"add_prefix_space"`
	Legacy         *bool                `json:"legacy"`
	Additional     []jsonToken          `json:"additional_special_tokens"`
	ChatTemplate   jsonTemplate         `json:"chat_template"`
	Added          map[string]jsonAdded `json:"added_tokens_decoder"`
}

// jsonToken is a token's text, or an object with its text as content, or null.
type jsonToken struct {
	named bool // whether the key is there
	text  *string
}

// UnmarshalJSON accepts all three forms.
func (t *jsonToken) UnmarshalJSON(b []byte) error {
	t.named = true
	if string(b) == "null" {
		return nil
	}
	var text string
	if json.Unmarshal(b, &text) == nil {
		t.text = &text
		return nil
	}
	var token struct {
		Content *string `json:"content"`
	}
	if err := json.Unmarshal(b, &token); err != nil || token.Content == nil {
		return fmt.Errorf("%s names no token", b)
	}
	t.text = token.Content
	return nil
}

// jsonTemplate is a chat template, or a list of named ones, of which that called
// "default" is the one that is used if none is asked for.
type jsonTemplate struct {
	main  string
	named map[string]string
}

// UnmarshalJSON accepts both forms.
func (t *jsonTemplate) UnmarshalJSON(b []byte) error {
	var named []struct {
		Name     string `json:"name"`
		Template string `json:"template"`
	}
	if json.Unmarshal(b, &named) != nil {
		return json.Unmarshal(b, &t.main)
	}
	for _, n := range named {
		if n.Name == "default" {
			t.main = n.Template
			continue
		}
		if t.named == nil {
			t.named = map[string]string{}
		}
		t.named[n.Name] = n.Template
	}
	return nil
}

// Configure sets the special ids, AddBOS and the chat template from the files
// beside a tokenizer.json: special_tokens_map.json and tokenizer_config.json.
// What a later file says replaces what earlier ones do. A file that is not there
// is passed as nil.
//
// If no file mentions bos, eos or the unknown token, each is <|endoftext|> where
// the vocabulary has it: the reference's GPT-NeoX tokenizer has these defaults.
// Of a sentencepiece model that is so for eos only, if the model names none.
func (v *Vocab) Configure(files ...[]byte) error {
	bos, eos, unk := v.BOS != None, v.EOS != None, v.UNK != None
	for _, b := range files {
		if b == nil {
			continue
		}
		var c jsonConfig
		if err := json.Unmarshal(b, &c); err != nil {
			return fmt.Errorf("tokenizer: configuration: %w", err)
		}
		if err := v.apply(&c); err != nil {
			return fmt.Errorf("tokenizer: configuration: %w", err)
		}
		bos, eos, unk = bos || c.BOS.named, eos || c.EOS.named, unk || c.UNK.named
	}
	if id, ok := v.find(endOfText); ok && v.sentencepiece() {
		v.EOS = setIf(!eos && v.EOS == None, v.EOS, id)
	} else if ok {
		v.BOS = setIf(!bos, v.BOS, id)
		v.EOS = setIf(!eos, v.EOS, id)
		v.UNK = setIf(!unk, v.UNK, id)
	}
	return nil
}

func setIf(ok bool, old, id int) int {
	if ok {
		return id
	}
	return old
}

// apply sets what one file says.
func (v *Vocab) apply(c *jsonConfig) error {
	if c.AddPrefixSpace != nil && *c.AddPrefixSpace != v.AddSpacePrefix {
		return fmt.Errorf("add_prefix_space %v is not supported for this model", *c.AddPrefixSpace)
	}
	if c.Legacy != nil && !*c.Legacy && v.AddSpacePrefix {
		return fmt.Errorf("legacy false is not supported: a space would have to be left out after control tokens")
	}
	if c.AddEOS {
		return fmt.Errorf("add_eos_token is not supported: prompts would end with eos")
	}
	if err := v.takeAdded(c); err != nil {
		return err
	}
	for _, t := range []struct {
		key   string
		token jsonToken
		id    *int
	}{{"bos_token", c.BOS, &v.BOS}, {"eos_token", c.EOS, &v.EOS}, {"unk_token", c.UNK, &v.UNK}, {"pad_token", c.PAD, &v.PAD}} {
		if t.id == &v.UNK && v.sentencepiece() {
			continue // what the model itself makes of unknown text counts
		}
		if err := v.setID(t.id, t.token); err != nil {
			return fmt.Errorf("%s: %w", t.key, err)
		}
	}
	if c.AddBOS != nil {
		v.AddBOS = *c.AddBOS
	}
	if c.ChatTemplate.main != "" {
		v.ChatTemplate = c.ChatTemplate.main
	}
	if c.ChatTemplate.named != nil {
		v.Templates = c.ChatTemplate.named
	}
	return nil
}

// setID sets id to that of a token, if the file mentions it.
func (v *Vocab) setID(id *int, t jsonToken) error {
	if !t.named {
		return nil
	}
	*id = None
	if t.text == nil {
		return nil
	}
	found, ok := v.find(*t.text)
	if !ok {
		return fmt.Errorf("the vocabulary has no token %q", *t.text)
	}
	*id = found
	return nil
}
