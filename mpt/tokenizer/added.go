package tokenizer

import (
	"fmt"
	"strings"
)

// addedScore is the score that llama.cpp's converter gives to added tokens.
const addedScore = -1000

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
