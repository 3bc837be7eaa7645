//go:build !wasm

package line

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/chzyer/readline"
	"github.com/rivo/uniseg"
)

// screen is how large the terminal is, and what was drawn on it.
type screen struct {
	rows, columns int
	row           int  // of the cursor, from the first one drawn
	stale         bool // what was drawn is not the line any more
}

// tab is how a tab looks.
const tab = "    "

// cell is a character as it looks, with its place. A character may be several runes.
type cell struct {
	text        string
	runes       int // of the line, that it stands for
	row, column int
	prompt      bool // it belongs to the prompt
}

// layout places the characters of a prompt and a line on rows of so many columns. It
// returns the place after the last one, too, and that of the cursor, which is before rune pos.
func layout(prompt string, text []rune, pos, columns int) (cells []cell, end, cursor cell) {
	at := cell{prompt: true}
	place := func(shown string, runes, width int) {
		if width = min(width, columns); at.column+width > columns {
			at.row, at.column = at.row+1, 0
		}
		cells = append(cells, cell{shown, runes, at.row, at.column, at.prompt})
		at.column += width
	}
	walk(prompt, place)
	first, seen := len(cells), 0
	at.prompt = false
	walk(string(shownAs(text)), place)
	if at.column == columns { // there the terminal does what it wants
		at.row, at.column = at.row+1, 0
	}
	cursor = at
	for _, c := range cells[first:] {
		if seen += c.runes; seen > pos {
			cursor = c
			break
		}
	}
	return cells, at, cursor
}

// walk calls place for every character of a text.
func walk(text string, place func(shown string, runes, width int)) {
	for state := -1; text != ""; {
		var c string
		var width int
		c, text, width, state = uniseg.FirstGraphemeClusterInString(text, state)
		if c == "\t" {
			c, width = tab, len(tab)
			place(c, 1, width)
			continue
		}
		place(c, len([]rune(c)), width)
	}
}

// shownAs returns a line with a sign for every new line in it.
func shownAs(text []rune) []rune {
	shown := slices.Clone(text)
	for i, r := range shown {
		if r == newLineMark {
			shown[i] = '↵'
		}
	}
	return shown
}

// draw shows the line with its cursor, or as many of its rows as there is room for.
func (e *Editor) draw() {
	e.screen.stale = false
	cells, end, cursor := layout(e.shownPrompt(), e.buf.Runes(), e.buf.Pos(), e.screen.columns)
	top, bottom := window(end.row, cursor.row, e.screen.rows)
	var b strings.Builder
	b.WriteString(e.toFirstRow())
	row, style := top, ""
	for _, c := range cells {
		if c.row < top || c.row > bottom {
			continue
		}
		if c.row > row {
			b.WriteString("\r\n")
			row = c.row
		}
		style = e.style(&b, style, c)
		b.WriteString(c.text)
	}
	e.style(&b, style, end)
	if bottom == end.row && row < end.row {
		b.WriteString("\r\n")
		row++
	}
	if cursor != end {
		b.WriteString("\r" + up(row-cursor.row))
		if cursor.column > 0 {
			fmt.Fprintf(&b, "\x1b[%dC", cursor.column)
		}
	}
	e.screen.row = cursor.row - top
	io.WriteString(e.out, b.String())
}

// style writes what turns the style of what was drawn before into that of c, which it returns.
func (e *Editor) style(b *strings.Builder, before string, c cell) string {
	wanted := ""
	if c.prompt {
		wanted = e.cfg.PromptStyle
	}
	if before != wanted {
		b.WriteString(cmp.Or(wanted, plainStyle))
	}
	return wanted
}

// plainStyle ends all styles (ECMA-48, SGR).
const plainStyle = "\x1b[0m"

// window returns the first and the last row to show of those up to end: around the row of the
// cursor, if there is no room for all.
func window(end, cursor, rows int) (top, bottom int) {
	if end < rows {
		return 0, end
	}
	top = min(max(0, cursor-rows/2), end-rows+1)
	return top, top + rows - 1
}

// up returns what moves the cursor up.
func up(rows int) string {
	if rows <= 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA", rows)
}

// toFirstRow returns what moves the cursor to where the line begins, and clears from there.
func (e *Editor) toFirstRow() string { return up(e.screen.row) + "\r\x1b[J" }

// erase takes the line off the screen.
func (e *Editor) erase() {
	io.WriteString(e.out, e.toFirstRow())
	e.screen.row, e.screen.stale = 0, true
}

// resize asks how large the terminal is. What was drawn has been wrapped anew by then.
func (e *Editor) resize() {
	columns, rows, err := readline.GetSize(e.fd)
	if err != nil {
		columns = readline.GetScreenWidth()
	}
	if columns <= 0 {
		columns = 80
	}
	if rows <= 0 {
		rows = 24
	}
	e.screen.rows, e.screen.columns = rows, columns
	_, end, cursor := layout(e.shownPrompt(), e.buf.Runes(), e.buf.Pos(), columns)
	top, _ := window(end.row, cursor.row, rows)
	e.screen.row, e.screen.stale = cursor.row-top, true
}

// width returns how many columns a text takes.
func width(text string) int { return uniseg.StringWidth(text) }
