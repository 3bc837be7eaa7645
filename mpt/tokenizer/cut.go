package tokenizer

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// stages are the tokens to look for before and after normalisation.
type stages struct{ raw, normalized *cutter }

// cutter finds added tokens in a text and says what is cut out of it for them.
type cutter struct {
	*trie
	rules map[int32]rule // of the tokens that have one
}

// rule says in which way an added token is more, or less, than its own text.
type rule struct {
	lstrip, rstrip bool // white space before or after it belongs to it
	single         bool // it is not found inside a word
}

func newCutter() *cutter { return &cutter{trie: newTrie()} }

// rules returns those of the tokens of v.
func (v *Vocab) rules() map[int32]rule {
	if v.LStrip == nil && v.RStrip == nil && v.SingleWord == nil {
		return nil
	}
	all := map[int32]rule{}
	note := func(ids []int32, set func(*rule)) {
		for _, id := range ids {
			r := all[id]
			set(&r)
			all[id] = r
		}
	}
	note(v.LStrip, func(r *rule) { r.lstrip = true })
	note(v.RStrip, func(r *rule) { r.rstrip = true })
	note(v.SingleWord, func(r *rule) { r.single = true })
	return all
}

// setRules sets the lists that rules reads.
func (v *Vocab) setRules(rules map[int32]rule) {
	list := func(has func(rule) bool) []int32 {
		if ids := sortedIDs(rules, has); len(ids) > 0 {
			return ids
		}
		return nil
	}
	v.LStrip = list(func(r rule) bool { return r.lstrip })
	v.RStrip = list(func(r rule) bool { return r.rstrip })
	v.SingleWord = list(func(r rule) bool { return r.single })
}

// sortedIDs returns the ids of which has holds, in increasing order.
func sortedIDs[T any](of map[int32]T, has func(T) bool) []int32 {
	ids := []int32{}
	for id, x := range of {
		if has(x) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// cut is a token that was found: text[start:end] stands for it, and the search goes
// on at next. Without any, id is None and the others are the length of the text.
type cut struct {
	id               int32
	start, end, next int
}

// find returns the first token in text[at:]. What stands before done was cut out
// before. As in the reference the search goes on behind the token's own text, even if
// it has taken the white space that follows: a token that begins there is found too.
func (c *cutter) find(text string, done, at int) cut {
	for at < len(text) {
		id, start, end := c.trie.find(text[at:])
		if id == None {
			break
		}
		start, end = start+at, end+at
		at = end
		r := c.rules[id]
		if r.single && (endsInWord(text[:start]) || beginsInWord(text[end:])) {
			continue
		}
		if r.lstrip && start > done {
			start = done + len(strings.TrimRightFunc(text[done:start], unicode.IsSpace))
		}
		if r.rstrip {
			end = len(text) - len(strings.TrimLeftFunc(text[end:], unicode.IsSpace))
		}
		return cut{id, start, end, at}
	}
	return cut{None, len(text), len(text), len(text)}
}

func endsInWord(s string) bool {
	r, n := utf8.DecodeLastRuneInString(s)
	return n > 0 && isWord(r)
}

func beginsInWord(s string) bool {
	r, n := utf8.DecodeRuneInString(s)
	return n > 0 && isWord(r)
}

// isWord reports whether the reference's regular expressions take r for a part of a
// word (\w): Unicode's annex 18.
func isWord(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc,
		unicode.Other_Alphabetic, unicode.Join_Control)
}
