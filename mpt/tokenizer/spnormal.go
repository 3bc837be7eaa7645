package tokenizer

import (
	"strings"
)

// normalizer brings a text into the form that the pieces of a sentencepiece model
// are cut from.
type normalizer struct {
	table   *charsmap // or nil
	user    *trie     // is left as it is
	prefix  bool      // a text begins with a space
	squeeze bool      // spaces at both ends, and more than one in a row, are removed
}

// apply returns text in normal form, with blanks for spaces. A text that is not
// fresh goes on with another: it gets no space before it.
func (n *normalizer) apply(text string, fresh bool) string {
	var b strings.Builder
	b.Grow(len(text) + len(text)/4 + len(blank))
	afterSpace := fresh && n.squeeze
	if afterSpace {
		text = n.trimLeft(text)
	}
	if text == "" {
		return ""
	}
	if fresh && n.prefix {
		b.WriteString(blank)
	}
	for text != "" {
		part, length := n.step(text)
		text = text[length:]
		if afterSpace {
			part = strings.TrimLeft(part, " ")
		}
		if part != "" {
			escape(&b, part)
			afterSpace = n.squeeze && part[len(part)-1] == ' '
		}
	}
	if !n.squeeze {
		return b.String()
	}
	out := b.String()
	for strings.HasSuffix(out, blank) {
		out = out[:len(out)-len(blank)]
	}
	return out
}

// escape writes s with blanks for spaces.
func escape(b *strings.Builder, s string) {
	for i := range len(s) {
		if s[i] == ' ' {
			b.WriteString(blank)
			continue
		}
		b.WriteByte(s[i])
	}
}

// trimLeft removes what becomes spaces from the beginning of text.
func (n *normalizer) trimLeft(text string) string {
	for text != "" {
		part, length := n.step(text)
		if part != " " {
			break
		}
		text = text[length:]
	}
	return text
}

// step returns the normal form of the beginning of text, which is not empty, and
// how much of text that is.
func (n *normalizer) step(text string) (part string, length int) {
	if n.user.first[text[0]] {
		if _, length := n.user.longest(text); length > 0 {
			return text[:length], length
		}
	}
	if n.table != nil {
		if part, length := n.table.longest(text); length > 0 {
			return string(part), length
		}
	}
	length = firstRune(text)
	return text[:length], length
}
