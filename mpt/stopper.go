package mpt

import (
	"slices"
	"strings"

	"mptgo/mpt/tokenizer"
)

// stopper turns tokens into text and looks for stop strings. Text that may be
// the beginning of one is held back.
//
// Control tokens count as the text that names them, as in llama.cpp, even where they are not
// shown: a stop string may be such a text, or have it in it.
type stopper struct {
	tok    *tokenizer.Tokenizer
	dec    *tokenizer.Decoder
	stop   []string
	held   string
	hidden []bool // the bytes of held that are not shown; nil: there are none
	all    bool   // control tokens are shown
	made   int    // bytes of text so far, held back or not
	hit    string // the stop string that ended the text
}

func newStopper(t *tokenizer.Tokenizer, opt GenerateOptions) stopper {
	stop := slices.DeleteFunc(slices.Clone(opt.Stop), func(s string) bool { return s == "" })
	dec := t.NewDecoder(tokenizer.DecodeOptions{SkipControl: !opt.Special})
	return stopper{tok: t, dec: dec, stop: stop, all: opt.Special}
}

// next returns the text that is certain after token id, and whether a stop
// string ended it.
func (s *stopper) next(id int32) (text string, stopped bool) {
	piece := s.dec.Next(id)
	s.made += len(piece)
	if len(s.stop) == 0 {
		return piece, false
	}
	if name, typ := s.tok.Token(id); typ == tokenizer.Control && !s.all {
		s.hold(name, true)
	}
	s.hold(piece, false)
	first := -1
	for _, stop := range s.stop {
		if i := strings.Index(s.held, stop); i >= 0 && (first < 0 || i < first) {
			first, s.hit = i, stop
		}
	}
	if first >= 0 {
		text = s.release(first)
		s.held, s.hidden = "", nil
		return text, true
	}
	return s.release(len(s.held) - s.pending()), false
}

// hold adds a text that is shown later, or never.
func (s *stopper) hold(text string, hidden bool) {
	if hidden && s.hidden == nil {
		s.hidden = make([]bool, len(s.held), len(s.held)+len(text))
	}
	s.held += text
	if s.hidden != nil {
		s.hidden = append(s.hidden, slices.Repeat([]bool{hidden}, len(text))...)
	}
}

// release takes the first n bytes of the held text and returns what is shown of them.
func (s *stopper) release(n int) string {
	text, rest := s.held[:n], s.held[n:]
	s.held = rest
	if s.hidden == nil {
		return text
	}
	var shown []byte
	for i := range n {
		if !s.hidden[i] {
			shown = append(shown, text[i])
		}
	}
	s.hidden = s.hidden[n:]
	if !slices.Contains(s.hidden, true) {
		s.hidden = nil
	}
	return string(shown)
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
	return s.release(len(s.held)) + s.dec.Flush()
}
