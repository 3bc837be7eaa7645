package repl

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/line"
)

// terminal reads lines from a terminal, with editing, history and completion.
type terminal struct {
	ctx context.Context
	*line.Editor
}

// newTerminal returns the terminal of the process. It gives up when ctx is done;
// Close must be called at the end.
func newTerminal(ctx context.Context, notes io.Writer) (*terminal, error) {
	history, err := historyFile()
	if err != nil {
		console.Note(notes, "chat: no history: %v", err)
	}
	term, style := os.Getenv("TERM"), ""
	if console.Colours(os.Stdout) {
		style = string(console.PromptColour)
	}
	e, err := line.New(line.Config{
		Plain:       term == "" || term == "dumb" || runtime.GOOS == "windows",
		PromptStyle: style,
		History:     history,
		Complete:    complete,
	})
	if err != nil {
		return nil, err
	}
	return &terminal{ctx, e}, nil
}

// ReadLine implements lineReader.
func (t *terminal) ReadLine(prompt string) (string, error) {
	text, err := t.Editor.ReadLine(t.ctx, prompt)
	if errors.Is(err, line.ErrInterrupt) {
		err = errInterrupt
	}
	return text, err
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
		for also := range otherNames {
			words = append(words, also+" ")
		}
		slices.Sort(words)
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

func withPrefix(words []string, prefix string) []string {
	var with []string
	for _, w := range words {
		if strings.HasPrefix(w, prefix) {
			with = append(with, w)
		}
	}
	return with
}
