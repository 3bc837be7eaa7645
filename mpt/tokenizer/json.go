package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// jsonFile is HuggingFace's tokenizer.json. Truncation and padding concern what
// is done with ids, and are left to the caller there too.
type jsonFile struct {
	Version       string          `json:"version"`
	Truncation    json.RawMessage `json:"truncation"`
	Padding       json.RawMessage `json:"padding"`
	AddedTokens   []jsonAdded     `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	Model         json.RawMessage `json:"model"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
}

// jsonAdded is a piece of literal text that is a token.
type jsonAdded struct {
	ID         int    `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// jsonBPE is the model in a tokenizer.json. UnkToken, FuseUnk and ByteFallback are of
// no effect where every byte has a token, which New insists on. Old files have no type:
// the reference then takes the first kind of model that fits, which is BPE if there are
// merges.
type jsonBPE struct {
	Type         string         `json:"type"`
	Dropout      float64        `json:"dropout"`
	UnkToken     *string        `json:"unk_token"`
	Prefix       string         `json:"continuing_subword_prefix"`
	Suffix       string         `json:"end_of_word_suffix"`
	FuseUnk      bool           `json:"fuse_unk"`
	ByteFallback bool           `json:"byte_fallback"`
	IgnoreMerges bool           `json:"ignore_merges"`
	Vocab        map[string]int `json:"vocab"`
	Merges       jsonMerges     `json:"merges"`
}

// jsonMerges are lines "left right"; newer files hold them as ["left", "right"].
type jsonMerges []string

// ParseJSON reads a tokenizer.json. Settings that this package does not know, or
// that would give other ids than it computes, are errors.
//
// The file does not say which tokens are bos, eos, unknown and padding; these
// are [None] until [Vocab.Configure] is called.
func ParseJSON(tokenizerJSON []byte) (*Vocab, error) {
	v, err := parseJSON(tokenizerJSON)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: tokenizer.json: %w", err)
	}
	return v, nil
}

func parseJSON(b []byte) (*Vocab, error) {
	if !utf8.Valid(b) {
		return nil, fmt.Errorf("is not UTF-8")
	}
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	var f jsonFile
	if err := strict(b, &f); err != nil {
		return nil, err
	}
	v := &Vocab{Model: ModelBPE, BOS: None, EOS: None, UNK: None, PAD: None}
	var err error
	if v.Pre, err = parsePre(f.Normalizer, f.PreTokenizer); err != nil {
		return nil, err
	}
	if err := checkDecoder(f.Decoder); err != nil {
		return nil, err
	}
	var model jsonBPE
	if err := strict(f.Model, &model); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if err := model.check(); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	v.Merges = model.Merges
	// Each token takes several bytes of the file, so this bounds the gaps.
	if err := v.setTokens(model.Vocab, f.AddedTokens, len(b)); err != nil {
		return nil, err
	}
	if err := v.parsePost(f.PostProcessor); err != nil {
		return nil, err
	}
	return v, nil
}

// strict decodes JSON and refuses fields that v does not have.
func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("cannot read: %w", err)
	}
	if d.More() {
		return fmt.Errorf("cannot read: data after the end")
	}
	return nil
}

// check refuses the variants of BPE that are not byte-level BPE as in GPT-2.
func (m *jsonBPE) check() error {
	switch {
	case m.Type == "" && m.Merges == nil:
		return fmt.Errorf("it has neither a type nor merges: MPT models use \"BPE\"")
	case m.Type != "BPE" && m.Type != "":
		return fmt.Errorf("type %q is not supported: MPT models use \"BPE\"", m.Type)
	case m.Dropout != 0:
		return fmt.Errorf("dropout %v is not supported: ids would be random", m.Dropout)
	case m.Prefix != "":
		return fmt.Errorf("continuing_subword_prefix %q is not supported", m.Prefix)
	case m.Suffix != "":
		return fmt.Errorf("end_of_word_suffix %q is not supported", m.Suffix)
	case m.IgnoreMerges:
		return fmt.Errorf("ignore_merges is not supported")
	}
	return nil
}

// UnmarshalJSON accepts both forms of merges.
func (m *jsonMerges) UnmarshalJSON(b []byte) error {
	var lines []string
	if json.Unmarshal(b, &lines) == nil {
		*m = slices.DeleteFunc(lines, func(s string) bool { return strings.HasPrefix(s, "#version") })
		return nil
	}
	var pairs [][]string
	if err := json.Unmarshal(b, &pairs); err != nil {
		return err
	}
	lines = lines[:0]
	for rank, p := range pairs {
		if len(p) != 2 || strings.Contains(p[0]+p[1], " ") {
			return fmt.Errorf("merge %d %q is not a pair of tokens without spaces", rank, p)
		}
		lines = append(lines, p[0]+" "+p[1])
	}
	*m = lines
	return nil
}

// setTokens fills Tokens, Types and Normalized. Ids that no token has, below
// the highest, are unused; limit is a bound on ids.
func (v *Vocab) setTokens(vocab map[string]int, added []jsonAdded, limit int) error {
	count := 0
	for text, id := range vocab {
		if id < 0 || id >= limit {
			return fmt.Errorf("token %q has the id %d, which is out of range", text, id)
		}
		count = max(count, id+1)
	}
	for _, a := range added {
		if err := a.check(vocab, limit); err != nil {
			return fmt.Errorf("added token %q: %w", a.Content, err)
		}
		count = max(count, a.ID+1)
	}
	v.Tokens, v.Types = make([]string, count), make([]TokenType, count)
	for _, text := range slices.Sorted(maps.Keys(vocab)) {
		if err := v.set(vocab[text], text, Normal); err != nil {
			return err
		}
	}
	for _, a := range added {
		if err := v.set(a.ID, a.Content, a.tokenType()); err != nil {
			return err
		}
	}
	for id, t := range v.Types {
		if t == 0 {
			v.Tokens[id], v.Types[id] = padText(id), Unused
		}
	}
	rules, late := map[int32]rule{}, []int32{}
	for _, a := range added {
		rules[int32(a.ID)] = rule{a.LStrip, a.RStrip, a.SingleWord}
		if a.Normalized {
			late = append(late, int32(a.ID))
		}
	}
	v.setRules(rules)
	slices.Sort(late)
	v.setNormalized(slices.Compact(late))
	return nil
}

// set makes text the token id. Only an added token may replace a token, of the
// same text.
func (v *Vocab) set(id int, text string, t TokenType) error {
	if v.Types[id] != 0 && (v.Tokens[id] != text || !t.added()) {
		return fmt.Errorf("tokens %q and %q have the same id %d", v.Tokens[id], text, id)
	}
	v.Tokens[id], v.Types[id] = text, t
	return nil
}

// check refuses what cannot be told apart in a GGUF file.
func (a *jsonAdded) check(vocab map[string]int, limit int) error {
	if a.ID < 0 || a.ID >= limit {
		return fmt.Errorf("id %d is out of range", a.ID)
	}
	if id, ok := vocab[a.Content]; ok && id != a.ID {
		return fmt.Errorf("id %d, but the model's vocabulary says %d", a.ID, id)
	}
	return nil
}

// tokenType follows llama.cpp's converter: what is spelled <|like this|> is a
// control token even if the file does not call it special.
func (a *jsonAdded) tokenType() TokenType {
	if a.Special || looksSpecial(a.Content) {
		return Control
	}
	return UserDefined
}

// setNormalized notes which added tokens are looked for after normalisation, if
// they are not exactly the user-defined ones.
func (v *Vocab) setNormalized(ids []int32) {
	v.Normalized = nil
	if !slices.Equal(ids, v.normalized()) {
		v.Normalized = ids
	}
}
