package tokenizer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// charsmap is a table of replacements as sentencepiece compiles it: the size of a
// trie in bytes, the trie, and texts that end with a zero byte. A text that the
// trie leads to is replaced by the text that starts at the value found there.
//
// The trie is the double array of the library Darts-clone. In a unit of 32 bits
// are: a label in bits 0-7, whether a leaf follows in bit 8, an offset in bits
// 10-30, to be shifted by 8 if bit 9 is set. The unit of a leaf has bit 31 set
// and holds a value in the others.
type charsmap struct {
	trie  []uint32
	texts []byte
}

func parseCharsmap(b []byte) (*charsmap, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if len(b) < 4 {
		return nil, fmt.Errorf("tokenizer: table of replacements: %d bytes are too few", len(b))
	}
	size := uint64(binary.LittleEndian.Uint32(b))
	if size == 0 || size%4 != 0 || size >= uint64(len(b)-4) {
		return nil, fmt.Errorf("tokenizer: table of replacements: a trie of %d bytes in a table of %d", size, len(b))
	}
	c := &charsmap{trie: make([]uint32, size/4), texts: b[4+size:]}
	for i := range c.trie {
		c.trie[i] = binary.LittleEndian.Uint32(b[4+4*i:])
	}
	if c.texts[len(c.texts)-1] != 0 || !utf8.Valid(c.texts) {
		return nil, fmt.Errorf("tokenizer: table of replacements: the texts do not end with a zero byte or are not UTF-8")
	}
	for text := range bytes.SplitSeq(c.texts, []byte{0}) {
		if len(text) > maxReplacement {
			return nil, fmt.Errorf("tokenizer: table of replacements: a text of %d bytes: at most %d are supported",
				len(text), maxReplacement)
		}
	}
	return c, nil
}

// The bounds of what is replaced by what. They are far above any table, and keep
// one that is forged from taking more time or room than the text is long.
const (
	maxReplaced    = 256
	maxReplacement = 1024
)

// longest returns the replacement of the longest start of s that has one, and the
// length of that start: 0 if there is none.
func (c *charsmap) longest(s string) (text []byte, length int) {
	at := offset(c.trie[0])
	for i := range min(len(s), maxReplaced) {
		at ^= uint32(s[i])
		if int64(at) >= int64(len(c.trie)) {
			break
		}
		unit := c.trie[at]
		if unit&(1<<31|0xFF) != uint32(s[i]) {
			break
		}
		at ^= offset(unit)
		if unit>>8&1 == 1 && int64(at) < int64(len(c.trie)) {
			if value := c.trie[at] &^ (1 << 31); int(value) < len(c.texts) {
				text, length = c.texts[value:], i+1
			}
		}
	}
	if length > 0 {
		text = text[:bytes.IndexByte(text, 0)]
	}
	return text, length
}

func offset(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }
