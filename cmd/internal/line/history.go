//go:build !wasm

package line

import (
	"bufio"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
)

// maxHistory is how many lines are remembered.
const maxHistory = 500

// history is what was typed before, oldest first, and where the user is in it.
type history struct {
	lines [][]rune
	at    int    // of lines; their number: the line that is being typed
	typed []rune // which is here meanwhile
	file  *os.File
}

// open reads a file, to which lines are then added. One that cannot be used is as none: the
// lines of this chat are remembered all the same.
func (h *history) open(path string) {
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return
	}
	total, err := h.read(f)
	if err != nil {
		f.Close()
		return
	}
	h.file, h.at = f, len(h.lines)
	if total > 2*maxHistory {
		h.shorten()
	}
}

// read reads all lines and returns how many there are.
func (h *history) read(r io.Reader) (total int, err error) {
	for in := bufio.NewReader(r); ; {
		text, err := in.ReadString('\n')
		if line := mend(strings.TrimSpace(text)); len(line) > 0 {
			h.push(line)
			total++
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		} else if err != nil {
			return total, err
		}
	}
}

// mend takes out of a line of the file what cannot be in a line.
func mend(text string) []rune {
	parts := strings.Split(text, string(newLineMark))
	line := clean(parts[0])
	for _, p := range parts[1:] {
		line = append(append(line, newLineMark), clean(p)...)
	}
	return line
}

func (h *history) push(line []rune) {
	h.lines = append(h.lines, line)
	if n := len(h.lines) - maxHistory; n > 0 {
		h.lines = slices.Delete(h.lines, 0, n)
	}
}

// shorten leaves only the last lines in the file. If that fails it is as before, or has lost
// its oldest lines.
func (h *history) shorten() {
	var text strings.Builder
	for _, line := range h.lines {
		text.WriteString(string(line) + "\n")
	}
	if h.file.Truncate(0) == nil {
		io.WriteString(h.file, text.String())
	}
}

// add adds a line, unless it says nothing or is the last one again.
func (h *history) add(text string) {
	if strings.TrimSpace(text) == "" || len(h.lines) > 0 && string(h.lines[len(h.lines)-1]) == text {
		return
	}
	h.push([]rune(text))
	h.forget()
	if h.file != nil {
		io.WriteString(h.file, text+"\n") // in one piece: another chat may add to it, too
	}
}

// forget returns to the line that is being typed.
func (h *history) forget() { h.at, h.typed = len(h.lines), nil }

// prev returns the line before the one that the user sees, which is now if none was seen.
func (h *history) prev(now []rune) ([]rune, bool) {
	if h.at == 0 {
		return nil, false
	}
	h.visit(h.at-1, now)
	return h.lines[h.at], true
}

// visit goes to line i, and keeps the one that is being typed.
func (h *history) visit(i int, now []rune) {
	if h.at == len(h.lines) {
		h.typed = now
	}
	h.at = i
}

// next returns the line after it.
func (h *history) next([]rune) ([]rune, bool) {
	if h.at == len(h.lines) {
		return nil, false
	}
	if h.at++; h.at == len(h.lines) {
		return h.typed, true
	}
	return h.lines[h.at], true
}

func (h *history) close() error {
	if h.file == nil {
		return nil
	}
	return h.file.Close()
}
