package sampling

import (
	"fmt"
	"strings"
)

// Vocab is what DRY needs to know of the vocabulary to find its sequence
// breakers.
type Vocab interface {
	Size() int            // token ids run from 0 to Size-1
	Text(id int32) string // the bytes that the token stands for
}

// breakers finds the texts that end a repetition. A nil one finds none.
type breakers struct {
	texts []string
	kinds []breakerKind // by token
	vocab Vocab
}

type breakerKind uint8

const (
	breakerWhole breakerKind = 1 << iota // the token's text holds a breaker
	breakerHead                          // a breaker may start in the token and go on in the next
)

func newBreakers(texts []string, v Vocab) (*breakers, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	if v == nil {
		return nil, fmt.Errorf("sampling: dry: finding the sequence breakers %q needs a vocabulary, and there is none: "+
			"set dry_sequence_breaker=none or give one", texts)
	}
	b := &breakers{texts: texts, kinds: make([]breakerKind, v.Size()), vocab: v}
	for id := range b.kinds {
		text := v.Text(int32(id))
		for _, t := range texts {
			if strings.Contains(text, t) {
				b.kinds[id] |= breakerWhole
			}
			if overlap(text, t, len(text)) > 0 {
				b.kinds[id] |= breakerHead
			}
		}
	}
	return b, nil
}

// overlap returns the length of the longest ending of text, of at most most
// bytes, that is a beginning of breaker but not all of it.
func overlap(text, breaker string, most int) int {
	for n := min(most, len(text), len(breaker)-1); n > 0; n-- {
		if strings.HasPrefix(breaker, text[len(text)-n:]) {
			return n
		}
	}
	return 0
}

func (b *breakers) kind(id int32) breakerKind {
	if b == nil || id < 0 || int(id) >= len(b.kinds) {
		return 0
	}
	return b.kinds[id]
}

// whole reports whether token id holds a breaker.
func (b *breakers) whole(id int32) bool { return b.kind(id)&breakerWhole != 0 }

// unbroken returns how many tokens come after the last breaker in past: after
// the one that starts last, and if several start there after the longest.
func (b *breakers) unbroken(past []int32) int {
	if b == nil {
		return len(past)
	}
	for i := len(past) - 1; i >= 0; i-- {
		kind := b.kind(past[i])
		if kind == 0 {
			continue
		}
		after := past[i+1:]
		used := -1
		if kind&breakerWhole != 0 {
			used = 0
		}
		if kind&breakerHead != 0 {
			used = max(used, b.tail(b.vocab.Text(past[i]), after))
		}
		if used >= 0 {
			return len(after) - used
		}
	}
	return len(past)
}

// tail returns how many of the tokens after a breaker that starts in head
// reaches into, or -1 if none that starts there is complete.
func (b *breakers) tail(head string, after []int32) int {
	longest := -1
	for _, t := range b.texts {
		for n := overlap(head, t, len(head)); n > 0; n = overlap(head, t, n-1) {
			longest = max(longest, b.completes(t[n:], after))
		}
	}
	return longest
}

// completes returns how many tokens it takes to spell rest, or -1 if they spell
// something else.
func (b *breakers) completes(rest string, tokens []int32) int {
	for i, id := range tokens {
		if id < 0 || int(id) >= len(b.kinds) {
			return -1
		}
		text := b.vocab.Text(id)
		if strings.HasPrefix(text, rest) {
			return i + 1
		}
		if !strings.HasPrefix(rest, text) {
			return -1
		}
		rest = rest[len(text):]
	}
	return -1
}
