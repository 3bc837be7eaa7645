//go:build !wasm

package line

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/chzyer/readline"
)

// ErrInterrupt is what [Editor.ReadLine] returns when Ctrl-C was pressed.
var ErrInterrupt = errors.New("interrupted")

// What a terminal is asked: to put marks around a pasted text, or no longer.
const pasteOn, pasteOff = "\x1b[?2004h", "\x1b[?2004l"

// giveUpAfter is how long the rest of an escape sequence may take, as in GNU readline.
const giveUpAfter = 500 * time.Millisecond

// Config is what an [Editor] is made of.
type Config struct {
	// In and Out are the terminal; nil: those of the process.
	In  *os.File
	Out *os.File
	// Plain is for a terminal that does not know escape sequences that it may ignore.
	Plain bool
	// PromptStyle is what the terminal is told before the prompt, so that it stands out, such
	// as a colour; "": it looks like the rest.
	PromptStyle string
	// History is the file of what was typed before; "": there is none.
	History string
	// Complete returns what the last word before the cursor may become, with a space
	// after what is complete; nil: nothing is completed.
	Complete func(before string) []string
}

// Editor reads lines from a terminal. Its methods are for one goroutine, but for
// Interrupt and Restore.
type Editor struct {
	cfg Config
	in  io.Reader
	out io.Writer
	fd  int // of the terminal
	buf *readline.RuneBuffer
	dec decoder
	old *readline.State // of the terminal, before anything was done to it

	prompt  string
	screen  screen
	history history
	search  *search // nil: no search is going on
	faults  int     // how often the buffer has failed

	want      chan struct{} // asks for the next bytes
	pieces    chan piece    // which come here
	asked     bool
	signals   signals
	interrupt chan struct{}
	stop      func() // stops the process, until it is told to go on

	mu    sync.Mutex
	ended bool // the terminal is as it was, and stays so
}

// piece is what one read returns.
type piece struct {
	b   []byte
	err error
}

// New returns an editor for a terminal. [Editor.Close] must be called at the end.
func New(cfg Config) (*Editor, error) {
	e := &Editor{
		cfg: cfg, in: readline.Stdin, out: readline.Stdout, fd: readline.GetStdin(),
		want: make(chan struct{}, 1), pieces: make(chan piece, 1), interrupt: make(chan struct{}, 1),
	}
	if cfg.In != nil {
		e.in, e.fd = cfg.In, int(cfg.In.Fd())
	}
	if cfg.Out != nil {
		e.out = cfg.Out
	}
	var err error
	if e.old, err = readline.GetState(e.fd); err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	e.stop = e.stopGroup
	e.history.open(cfg.History)
	e.buf = newBuffer()
	e.signals.start()
	go e.read()
	return e, nil
}

// newBuffer returns an empty line. It holds the line but does not draw it: for that it needs
// time that grows with the square of the length, and never returns where the prompt fills
// whole rows.
func newBuffer() *readline.RuneBuffer {
	return readline.NewRuneBuffer(nil, "", &readline.Config{FuncIsTerminal: func() bool { return false }}, 0)
}

// read reads when it is asked to.
func (e *Editor) read() {
	for range e.want {
		b := make([]byte, 1<<12)
		n, err := e.in.Read(b)
		e.pieces <- piece{b[:n], err}
	}
}

// Close makes the terminal as it was.
func (e *Editor) Close() error {
	e.signals.end()
	close(e.want)
	return errors.Join(e.history.close(), e.Restore())
}

// Restore makes the terminal as it was before New, for good. It may be called while
// another goroutine reads a line.
func (e *Editor) Restore() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended {
		return nil
	}
	e.ended = true
	err := e.restore()
	e.say(pasteOff)
	return err
}

// restore gives the terminal the modes that it had. On Windows a success is an error, too.
func (e *Editor) restore() error {
	err := readline.Restore(e.fd, e.old)
	if errors.Is(err, syscall.Errno(0)) {
		return nil
	}
	return err
}

// Interrupt does what Ctrl-C does, from another goroutine.
func (e *Editor) Interrupt() {
	select {
	case e.interrupt <- struct{}{}:
	default:
	}
}

// say tells the terminal something that only some understand.
func (e *Editor) say(text string) {
	if !e.cfg.Plain {
		io.WriteString(e.out, text)
	}
}

// raw makes every key come at once and as it is.
func (e *Editor) raw() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended {
		return nil
	}
	_, err := readline.MakeRaw(e.fd)
	e.say(pasteOn) // always: a shell may have switched it off in between
	return err
}

// cooked ends that. It leaves the marks around pasted texts on: what is pasted during an
// answer has them.
func (e *Editor) cooked() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended {
		return nil
	}
	return e.restore()
}

// ReadLine shows a prompt and returns what is typed until Enter: a line, or several that were
// pasted together. It returns io.EOF for Ctrl-D and when the terminal is gone, [ErrInterrupt]
// with what was typed for Ctrl-C, and the error of ctx when that is done.
func (e *Editor) ReadLine(ctx context.Context, prompt string) (text string, err error) {
	if err := e.raw(); err != nil {
		return "", gone(err)
	}
	defer func() {
		if e := e.cooked(); err == nil {
			err = e
		}
	}()
	e.prompt, e.search = prompt, nil
	e.resize()
	e.screen.row = 0
	for {
		ev, err := e.next(ctx)
		if err != nil {
			io.WriteString(e.out, "\n")
			return "", err
		}
		text, done, err := e.guarded(ev)
		if done || err != nil {
			return strings.ReplaceAll(text, string(newLineMark), "\n"), err
		}
	}
}

// next waits for the next event.
func (e *Editor) next(ctx context.Context) (event, error) {
	for {
		if ev, ok := e.dec.next(); ok {
			return ev, nil
		}
		if e.screen.stale {
			e.draw()
		}
		if !e.asked {
			e.asked = true
			e.want <- struct{}{}
		}
		var late <-chan time.Time
		if e.dec.waiting() {
			late = time.After(giveUpAfter)
		}
		select {
		case p := <-e.pieces:
			e.asked = false
			e.dec.feed(p.b)
			if len(p.b) == 0 && p.err != nil {
				return event{}, gone(p.err)
			}
		case <-late:
			return e.dec.giveUp(), nil
		case <-e.interrupt:
			return event{key: keyInterrupt}, nil
		case <-e.signals.resized:
			e.resize()
		case <-e.signals.resumed:
			if err := e.raw(); err != nil {
				return event{}, gone(err)
			}
			e.resize()
		case <-ctx.Done():
			return event{}, ctx.Err()
		}
	}
}

// gone returns what an error of the terminal means. A terminal that hangs up may say so with an
// error of its own, such as EIO.
func gone(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) || errors.Is(err, syscall.EIO) {
		return io.EOF
	}
	return fmt.Errorf("terminal: %w", err)
}

// guarded does what an event asks for. If the buffer fails, the line is as it was before.
func (e *Editor) guarded(ev event) (text string, done bool, err error) {
	before, pos := e.buf.Runes(), e.buf.Pos()
	defer func() {
		if p := recover(); p != nil {
			e.faults++
			e.search, e.buf = nil, newBuffer()
			e.buf.SetWithIdx(min(pos, len(before)), before)
			e.need(false)
		}
	}()
	e.screen.stale = true
	return e.do(ev)
}
