package repl

import (
	"context"
	"errors"
	"io"
	"strings"

	"mptgo/cmd/internal/cli/fileio"
)

// lineReader reads what the user types.
type lineReader interface {
	// ReadLine shows the prompt, where there is someone to see it, and returns
	// a line without its end, or several that were pasted. It returns io.EOF after the last line, and
	// errInterrupt with what was typed so far if Ctrl-C was pressed.
	ReadLine(prompt string) (string, error)
}

var errInterrupt = errors.New("interrupted")

// The prompts for an input and for more lines of it.
const (
	firstPrompt = "> "
	morePrompt  = ". "
)

// quotes begin and end an input of several lines.
const quotes = `"""`

// readInput reads one input: a line, lines that end in a backslash and the one
// after them, a block between """ and """, or lines that were pasted together. Only a
// plain line can be a command.
func readInput(in lineReader) (text string, plain bool, err error) {
	line, err := in.ReadLine(firstPrompt)
	if err != nil {
		return line, true, err
	}
	if rest, ok := strings.CutPrefix(strings.TrimLeft(line, " \t"), quotes); ok {
		text, err = readBlock(in, rest)
		return text, false, err
	}
	plain = !strings.Contains(line, "\n")
	for {
		head, more := strings.CutSuffix(line, `\`)
		text += head
		if !more {
			return text, plain, nil
		}
		text, plain = text+"\n", false
		if line, err = in.ReadLine(morePrompt); err == io.EOF {
			return text, plain, nil
		} else if err != nil {
			return text, plain, err
		}
	}
}

// readBlock reads a block whose first line is given. It may also end with the
// input.
func readBlock(in lineReader, first string) (text string, err error) {
	text, end := cutQuotes(first)
	// Where the block was pasted as one, the ends of the lines with the quotes are in it.
	text = strings.TrimPrefix(text, "\n")
	if end {
		return strings.TrimSuffix(text, "\n"), nil
	}
	separator := ""
	if text != "" {
		separator = "\n"
	}
	for {
		line, err := in.ReadLine(morePrompt)
		if err == io.EOF {
			return text, nil
		} else if err != nil {
			return text, err
		}
		line, end = cutQuotes(line)
		if end && line == "" { // quotes alone do not begin another line
			return text, nil
		}
		if end {
			return text + separator + strings.TrimSuffix(line, "\n"), nil
		}
		text += separator + line
		separator = "\n"
	}
}

// cutQuotes returns line without the quotes at its end, if it has them.
func cutQuotes(line string) (before string, found bool) {
	if before, found = strings.CutSuffix(strings.TrimRight(line, " \t"), quotes); found {
		return before, true
	}
	return line, false
}

// pipe reads lines from something that is not a terminal.
type pipe struct {
	ctx   context.Context
	lines chan string
	err   error // why lines was closed
}

// newPipe returns a reader of the lines of r that gives up when ctx is done,
// even if nothing comes.
func newPipe(ctx context.Context, r io.Reader) *pipe {
	p := &pipe{ctx: ctx, lines: make(chan string)}
	go p.read(r)
	return p
}

func (p *pipe) read(from io.Reader) {
	defer close(p.lines)
	r := fileio.LineInput(from)
	for {
		b, err := fileio.ReadLine(r)
		if line := string(b); line != "" {
			line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
			select {
			case p.lines <- line:
			case <-p.ctx.Done():
				return
			}
		}
		if err != nil {
			p.err = err
			return
		}
	}
}

// ReadLine implements lineReader; the prompt is not shown.
func (p *pipe) ReadLine(string) (string, error) {
	select {
	case line, ok := <-p.lines:
		if !ok {
			return "", p.err
		}
		return line, nil
	case <-p.ctx.Done():
		return "", p.ctx.Err()
	}
}
