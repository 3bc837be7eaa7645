//go:build !wasm

package line

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/chzyer/readline"
)

// do does what an event asks for. It returns the line if that is done.
func (e *Editor) do(ev event) (text string, done bool, err error) {
	if e.search != nil && e.searching(ev) {
		return "", false, nil
	}
	switch ev.key {
	case 0:
		e.buf.WriteRunes(ev.text)
	case keyEnter:
		return e.enter(), true, nil
	case keyInterrupt:
		return e.end("^C\n"), true, ErrInterrupt
	case keyEOF:
		if e.buf.Len() == 0 {
			e.end("\n")
			return "", true, io.EOF
		}
		e.need(e.buf.Delete())
	case keySuspend:
		err = e.suspend()
	case keyTab:
		e.complete()
	case keyClear:
		io.WriteString(e.out, "\x1b[H\x1b[2J")
		e.screen.row = 0
	case keySearch, keySearchFwd:
		e.startSearch()
	default:
		e.edit(ev.key)
	}
	return "", false, err
}

// edit does what is about the line alone.
func (e *Editor) edit(k key) {
	switch b := e.buf; k {
	case keyHome:
		b.MoveToLineStart()
	case keyEnd:
		b.MoveToLineEnd()
	case keyLeft:
		b.MoveBackward()
	case keyRight:
		b.MoveForward()
	case keyWordLeft:
		b.MoveToPrevWord()
	case keyWordRight:
		b.MoveToNextWord()
	case keyBackspace:
		e.need(b.Pos() > 0)
		b.Backspace()
	case keyDelete:
		e.need(b.Delete())
	case keyKill:
		b.Kill()
	case keyKillFront:
		b.KillFront()
	case keyWordKill:
		b.DeleteWord()
	case keyWordRub:
		e.rubWord()
	case keyYank:
		b.Yank()
	case keyTranspose:
		if e.need(b.Len() > 1) {
			b.Transpose()
		}
	case keyPrev:
		e.recall(e.history.prev)
	case keyNext:
		e.recall(e.history.next)
	}
}

// need rings the bell if there is nothing that a key could do.
func (e *Editor) need(ok bool) bool {
	if !ok {
		io.WriteString(e.out, "\a")
	}
	return ok
}

// rubWord deletes the word before the cursor. Where that is the first one, the buffer would
// delete what follows the cursor, too.
func (e *Editor) rubWord() {
	text := e.buf.Runes()
	for i := e.buf.Pos() - 1; i > 0; i-- {
		if !readline.IsWordBreak(text[i]) && readline.IsWordBreak(text[i-1]) {
			e.buf.BackEscapeWord()
			return
		}
	}
	e.buf.KillFront()
}

// recall puts a line of the history in the place of this one.
func (e *Editor) recall(move func(now []rune) ([]rune, bool)) {
	text, ok := move(e.buf.Runes())
	if e.need(ok) {
		e.buf.Set(slices.Clone(text))
	}
}

// end ends the line with a text, and returns it.
func (e *Editor) end(with string) string {
	text := string(e.buf.Runes())
	e.buf.MoveToLineEnd()
	e.draw()
	io.WriteString(e.out, with)
	e.buf.Reset()
	e.screen.row = 0
	e.history.forget()
	return text
}

// enter ends the line, which goes into the history.
func (e *Editor) enter() string {
	text := e.end("\n")
	e.history.add(text)
	return text
}

// suspend stops the process until the shell lets it go on.
func (e *Editor) suspend() error {
	e.erase()
	e.say(pasteOff)
	if err := e.cooked(); err != nil {
		return err
	}
	e.stop()
	e.resize()
	e.screen.row = 0
	return e.raw()
}

// complete completes the word before the cursor, or shows what it may become.
func (e *Editor) complete() {
	if e.cfg.Complete == nil {
		return
	}
	before := string(e.buf.Runes()[:e.buf.Pos()])
	typed := before[strings.LastIndexByte(before, ' ')+1:]
	words := slices.DeleteFunc(e.cfg.Complete(before), func(w string) bool {
		return !strings.HasPrefix(w, typed) || strings.ContainsFunc(w, unprintable)
	})
	if !e.need(len(words) > 0) {
		return
	}
	if more := strings.TrimPrefix(commonPrefix(words), typed); more != "" {
		e.buf.WriteRunes([]rune(more))
	} else if len(words) > 1 {
		e.erase()
		io.WriteString(e.out, columns(words, e.screen.columns))
	}
}

// unprintable reports whether a character cannot be in a line.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || r == utf8.RuneError || r == newLineMark
}

// commonPrefix returns what all words begin with.
func commonPrefix(words []string) string {
	prefix := words[0]
	for _, w := range words[1:] {
		for !strings.HasPrefix(w, prefix) {
			_, n := utf8.DecodeLastRuneInString(prefix)
			prefix = prefix[:len(prefix)-n]
		}
	}
	return prefix
}

// maxWords is how many words are shown.
const maxWords = 200

// columns returns lines of words.
func columns(words []string, wide int) string {
	more := max(0, len(words)-maxWords)
	words = words[:len(words)-more]
	longest := 0
	for _, w := range words {
		longest = max(longest, width(w))
	}
	perLine := max(1, wide/(longest+2))
	var b strings.Builder
	for i, w := range words {
		b.WriteString(w)
		if last := i == len(words)-1; last || (i+1)%perLine == 0 {
			b.WriteByte('\n')
		} else {
			b.WriteString(strings.Repeat(" ", longest+2-width(w)))
		}
	}
	if more > 0 {
		fmt.Fprintf(&b, "... and %d more\n", more)
	}
	return b.String()
}
