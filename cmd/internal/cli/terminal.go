package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/chzyer/readline"
)

// terminal reads lines from a terminal, with editing, history and completion.
type terminal struct {
	rl  *readline.Instance
	off string // what the terminal is told at the end
}

// newTerminal returns the terminal of the process. It gives up when ctx is done;
// close must be called at the end.
func newTerminal(ctx context.Context, notes io.Writer) (*terminal, error) {
	history, err := historyFile()
	if err != nil {
		note(notes, "chat: no history: %v", err)
	}
	in := newPaste(readline.Stdin)
	rl, err := readline.NewEx(&readline.Config{
		Stdin:             readline.NewCancelableStdin(in),
		Listener:          in,
		Painter:           in,
		HistoryFile:       history,
		HistorySearchFold: true,
		AutoComplete:      completer{},
		InterruptPrompt:   "^C",
		EOFPrompt:         "\n",
	})
	if err != nil {
		return nil, fmt.Errorf("chat: terminal: %w", err)
	}
	context.AfterFunc(ctx, func() { rl.Close() })
	t := &terminal{rl: rl}
	if term := os.Getenv("TERM"); term != "" && term != "dumb" && runtime.GOOS != "windows" {
		io.WriteString(os.Stdout, pasteOn)
		t.off = pasteOff
	}
	return t, nil
}

// ReadLine implements lineReader.
func (t *terminal) ReadLine(prompt string) (string, error) {
	t.rl.SetPrompt(prompt)
	line, err := t.rl.Readline()
	if errors.Is(err, readline.ErrInterrupt) {
		err = errInterrupt
	}
	return strings.ReplaceAll(line, string(newLineMark), "\n"), err
}

func (t *terminal) close() {
	io.WriteString(os.Stdout, t.off)
	t.rl.Close()
}

// historyFile returns the name of the file with what was typed before, in a
// folder that exists.
func historyFile() (string, error) {
	dir := os.Getenv("XDG_STATE_HOME")
	if dir == "" {
		var err error
		if dir, err = os.UserConfigDir(); err != nil {
			return "", err
		}
	}
	dir = filepath.Join(dir, "mptgo")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return filepath.Join(dir, "history"), nil
}

// completer completes the names of commands, of what /set sets, and of files.
type completer struct{}

// Do implements readline.AutoCompleter.
func (completer) Do(line []rune, pos int) (endings [][]rune, length int) {
	words := complete(string(line[:pos]))
	typed := lastWord(string(line[:pos]))
	for _, w := range words {
		endings = append(endings, []rune(strings.TrimPrefix(w, typed)))
	}
	return endings, len([]rune(typed))
}

// complete returns the words, with a space after those that are complete, that
// the last word of line may become.
func complete(line string) []string {
	name, arg, hasArg := strings.Cut(line, " ")
	if !strings.HasPrefix(name, "/") {
		return nil
	}
	var words []string
	if !hasArg {
		for _, c := range chatCommands() {
			words = append(words, c.name+" ")
		}
		return withPrefix(words, name)
	}
	for _, c := range chatCommands() {
		if c.name == name && c.complete != nil && !strings.Contains(arg, " ") {
			return withPrefix(c.complete(arg), arg)
		}
	}
	return nil
}

// completeFile returns the files and folders whose path begins with prefix.
func completeFile(prefix string) []string {
	paths, err := filepath.Glob(escapeGlob(prefix) + "*")
	if err != nil {
		return nil
	}
	for i, p := range paths {
		if info, err := os.Stat(p); err == nil && info.IsDir() {
			paths[i] = p + string(filepath.Separator)
		}
	}
	return paths
}

// escapeGlob makes the characters that have a meaning in a pattern stand for
// themselves. Windows has no escape; there such names are not completed.
func escapeGlob(s string) string {
	if os.PathSeparator == '\\' {
		return s
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

func lastWord(line string) string { return line[strings.LastIndex(line, " ")+1:] }

func withPrefix(words []string, prefix string) []string {
	var with []string
	for _, w := range words {
		if strings.HasPrefix(w, prefix) {
			with = append(with, w)
		}
	}
	return with
}
