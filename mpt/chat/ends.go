package chat

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// minStop is how many characters a line has at least that ends an answer, letters among
// them: another one may well be part of it, such as a rule.
const minStop = 4

func isStop(line string) bool {
	return utf8.RuneCountInString(strings.TrimLeft(line, "\n")) >= minStop &&
		strings.ContainsFunc(line, unicode.IsLetter)
}

// addEnds adds to what ends an answer what a template writes behind one: a token or,
// where that is plain text, the line by which the next message begins. A model that
// has learned from such conversations goes on with that by itself.
func (f *Format) addEnds() {
	const question, answer, next = "Question0", "Answer1", "Question2"
	pieces, err := f.Render([]Message{{User, question}, {Assistant, answer}, {User, next}}, true)
	if err != nil {
		return // the template wants other conversations than this
	}
	behind := false
	for _, p := range pieces {
		text := p.Text
		switch {
		case !behind && p.Special:
			continue
		case !behind:
			if _, text, behind = strings.Cut(text, answer); !behind {
				continue
			}
		case p.Special:
			if !slices.Contains(f.StopTokens, text) {
				f.StopTokens = append(f.StopTokens, text)
			}
			return
		}
		text, _, found := strings.Cut(text, next)
		if stop := stopLine(text); stop != "" {
			if isStop(stop) {
				f.Stops = append(f.Stops, stop)
			}
			return
		}
		if found {
			return
		}
	}
}

// stopLine returns the first line of a text that is not empty, with the new line before
// it if there is one.
func stopLine(text string) string {
	line := strings.TrimLeft(text, white)
	newLine := strings.Contains(text[:len(text)-len(line)], "\n")
	line, _, _ = strings.Cut(line, "\n")
	if line = strings.TrimRight(line, white); line != "" && newLine {
		return "\n" + line
	}
	return line
}
