//go:build !wasm

package line

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// search looks for a text in the history, letter by letter.
type search struct {
	text  []rune // what is looked for
	at    int    // the line that has it
	found bool

	line []rune // what there was before
	pos  int
}

// startSearch begins a search from the newest line on.
func (e *Editor) startSearch() {
	e.search = &search{at: len(e.history.lines), line: e.buf.Runes(), pos: e.buf.Pos(), found: true}
}

// searching does what an event asks for during a search. If it reports false, the search
// has ended and the event is about the line.
func (e *Editor) searching(ev event) bool {
	s := e.search
	switch ev.key {
	case 0:
		s.text = append(s.text, ev.text...)
		e.find(s.at, -1)
	case keyBackspace:
		s.text = s.text[:max(0, len(s.text)-1)]
		e.find(len(e.history.lines)-1, -1)
	case keySearch:
		e.find(s.at-1, -1)
	case keySearchFwd:
		e.find(s.at+1, 1)
	case keyCancel, keyInterrupt:
		e.search = nil
		e.history.forget()
		e.buf.SetWithIdx(s.pos, s.line)
	case keyNothing:
	default:
		e.search = nil // the line that was found stays
		return false
	}
	return true
}

// find looks for the text from line i on. If there is none, the line stays.
func (e *Editor) find(i, step int) {
	s, lines := e.search, e.history.lines
	i = min(i, len(lines)-1)
	for s.found = len(s.text) == 0; !s.found && i >= 0 && i < len(lines); i += step {
		if at := foldIndex(lines[i], s.text); at >= 0 {
			s.at, s.found = i, true
			e.history.visit(i, s.line)
			e.buf.SetWithIdx(at, slices.Clone(lines[i]))
		}
	}
	e.need(s.found)
}

// foldIndex returns where text is in line, whatever the case of its letters, or -1.
func foldIndex(line, text []rune) int {
	lower := strings.ToLower(string(line)) // as many characters
	i := strings.Index(lower, strings.ToLower(string(text)))
	if i < 0 {
		return -1
	}
	return utf8.RuneCountInString(lower[:i])
}

// shownPrompt returns what stands before the line.
func (e *Editor) shownPrompt() string {
	if e.search == nil {
		return e.prompt
	}
	word := "search"
	if !e.search.found {
		word = "not found"
	}
	return word + " `" + string(shownAs(e.search.text)) + "': "
}
