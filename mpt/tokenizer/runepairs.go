package tokenizer

import "unicode/utf8"

// runePairs is a set of pairs of characters: a hash table with linear probing, at
// most half full. Zero marks an empty slot, so U+0000 before itself is in every
// set: it costs time, not correctness.
type runePairs struct {
	slots []uint64
	used  int
}

func newRunePairs() *runePairs { return &runePairs{slots: make([]uint64, 1<<10)} }

// addAll enters the pairs of characters that stand side by side in text.
func (s *runePairs) addAll(text string) {
	last := rune(-1)
	for _, r := range text {
		if last >= 0 {
			s.add(uint64(last)<<32 | uint64(r))
		}
		last = r
	}
}

func (s *runePairs) add(pair uint64) {
	slot := s.slot(pair)
	if *slot == pair {
		return
	}
	*slot = pair
	if s.used++; 2*s.used < len(s.slots) {
		return
	}
	old := s.slots
	s.slots = make([]uint64, 2*len(old))
	for _, p := range old {
		if p != 0 {
			*s.slot(p) = p
		}
	}
}

// slot returns where a pair is or would be.
func (s *runePairs) slot(pair uint64) *uint64 {
	for h := spread(pair); ; h++ {
		slot := &s.slots[h&uint64(len(s.slots)-1)]
		if *slot == pair || *slot == 0 {
			return slot
		}
	}
}

// run returns the length of the beginning of text, which is not empty, all of
// whose pairs are in the set.
func (s *runePairs) run(text string) int {
	last, at := utf8.DecodeRuneInString(text)
	for at < len(text) {
		r, n := utf8.DecodeRuneInString(text[at:])
		if pair := uint64(last)<<32 | uint64(r); *s.slot(pair) != pair {
			break
		}
		last, at = r, at+n
	}
	return at
}
