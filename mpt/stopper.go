package mpt

import (
	"strings"

	"mptgo/mpt/tokenizer"
)

// stopper turns tokens into text and looks for stop strings. Text that may be
// the beginning of one is held back.
type stopper struct {
	dec  *tokenizer.Decoder
	stop []string
	held string
}

func newStopper(t *tokenizer.Tokenizer, opt GenerateOptions) stopper {
	return stopper{dec: t.NewDecoder(tokenizer.DecodeOptions{SkipControl: !opt.Special}), stop: opt.Stop}
}

// next returns the text that is certain after token id, and whether a stop
// string ended it.
func (s *stopper) next(id int32) (text string, stopped bool) {
	s.held += s.dec.Next(id)
	if len(s.stop) == 0 {
		text, s.held = s.held, ""
		return text, false
	}
	first := -1
	for _, stop := range s.stop {
		if i := strings.Index(s.held, stop); stop != "" && i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	if first >= 0 {
		text, s.held = s.held[:first], ""
		return text, true
	}
	keep := s.pending()
	text, s.held = s.held[:len(s.held)-keep], s.held[len(s.held)-keep:]
	return text, false
}

// pending returns the length of the longest end of the held text that begins a
// stop string.
func (s *stopper) pending() int {
	longest := 0
	for _, stop := range s.stop {
		for n := min(len(stop)-1, len(s.held)); n > longest; n-- {
			if strings.HasSuffix(s.held, stop[:n]) {
				longest = n
			}
		}
	}
	return longest
}

// flush returns what was held back, at the end of a generation.
func (s *stopper) flush() string {
	rest := s.held + s.dec.Flush()
	s.held = ""
	return rest
}
