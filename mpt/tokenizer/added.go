package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// AddTokens adds the tokens of an added_tokens.json, an object that maps texts to
// ids, to the vocabulary of a sentencepiece model. A tokenizer.json holds its own
// added tokens; with such a vocabulary it only compares.
func (v *Vocab) AddTokens(addedTokensJSON []byte) error {
	var ids map[string]int
	if err := json.Unmarshal(addedTokensJSON, &ids); err != nil {
		return fmt.Errorf("tokenizer: added_tokens.json: %w", err)
	}
	var added []jsonAdded
	for text, id := range ids {
		added = append(added, jsonAdded{ID: id, Content: text})
	}
	if err := v.add(added); err != nil {
		return fmt.Errorf("tokenizer: added_tokens.json: %w", err)
	}
	return nil
}

// takeAdded adds the tokens of a tokenizer_config.json, or compares them with
// those of a tokenizer.json, which they replace in the reference.
func (v *Vocab) takeAdded(c *jsonConfig) error {
	var added []jsonAdded
	for key, a := range c.Added {
		id, err := strconv.Atoi(key)
		if err != nil {
			return fmt.Errorf("added_tokens_decoder: %q is not an id", key)
		}
		a.ID = id
		added = append(added, a)
	}
	if err := v.add(added); err != nil {
		return fmt.Errorf("added_tokens_decoder: %w", err)
	}
	if !v.sentencepiece() {
		return nil
	}
	for _, t := range c.Additional {
		if t.text == nil {
			continue
		}
		if id, ok := v.find(*t.text); ok && v.Types[id] != Unknown {
			v.keepPieces()
			v.Types[id] = Control
		}
	}
	return nil
}

// add takes tokens in the order of their ids.
func (v *Vocab) add(added []jsonAdded) error {
	slices.SortFunc(added, func(a, b jsonAdded) int { return a.ID - b.ID })
	for _, a := range added {
		if a.SingleWord || a.LStrip || a.RStrip {
			return fmt.Errorf("token %d %q: single_word, lstrip and rstrip are not supported", a.ID, a.Content)
		}
		known := a.ID >= 0 && a.ID < len(v.Tokens)
		switch {
		case known && v.Tokens[a.ID] != a.Content:
			return fmt.Errorf("token %d is %q here and %q in the vocabulary", a.ID, a.Content, v.Tokens[a.ID])
		case !known && !v.sentencepiece():
			return fmt.Errorf("token %d %q is not in tokenizer.json", a.ID, a.Content)
		case !known && a.ID != len(v.Tokens):
			return fmt.Errorf("token %d %q: the ids up to there are not all in use", a.ID, a.Content)
		case v.sentencepiece():
			v.addPiece(a)
		}
	}
	return nil
}

// addedScore is the score that llama.cpp's converter gives to added tokens.
const addedScore = -1000

// addPiece makes a token of a sentencepiece vocabulary one that is cut out of a text
// before the model sees it.
func (v *Vocab) addPiece(a jsonAdded) {
	v.keepPieces()
	if a.ID == len(v.Tokens) {
		v.Tokens, v.Types, v.Scores = append(v.Tokens, a.Content), append(v.Types, Normal), append(v.Scores, addedScore)
	}
	if t := v.Types[a.ID]; t != Unknown && t != Control {
		v.Types[a.ID] = a.tokenType()
		v.Normalized = slices.DeleteFunc(v.Normalized, func(id int32) bool { return int(id) == a.ID })
	}
}

// keepPieces notes which tokens are user-defined pieces of the model itself, before
// others come to the vocabulary.
func (v *Vocab) keepPieces() {
	if v.Normalized == nil {
		v.Normalized = append([]int32{}, v.normalized()...)
	}
}

// guessTypes fills in Types where a file has none, as the first ones had not: what
// no merge makes was added. Files of sentencepiece models tell by the spelling.
func (v *Vocab) guessTypes() {
	made := map[string]bool{}
	for _, line := range v.Merges {
		left, right, _ := strings.Cut(line, " ")
		made[left+right] = true
	}
	v.Types = make([]TokenType, len(v.Tokens))
	for id, text := range v.Tokens {
		v.Types[id] = v.guessType(id, text, made)
	}
}

func (v *Vocab) guessType(id int, text string, made map[string]bool) TokenType {
	var b int
	n, err := fmt.Sscanf(text, "<0x%02X>", &b)
	switch {
	case text == padText(id):
		return Unused
	case v.sentencepiece() && id == v.UNK:
		return Unknown
	case looksSpecial(text), id == v.BOS, id == v.EOS, id == v.PAD:
		return Control
	case v.sentencepiece() && n == 1 && err == nil && text == byteText(b):
		return Byte
	case v.sentencepiece(), made[text], len([]rune(text)) == 1:
		return Normal
	}
	return UserDefined
}
