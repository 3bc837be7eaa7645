package server

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// LogLines returns a writer that makes a record of the log of every line: what a command says
// beside the log is then told in its format, too.
func LogLines(log *slog.Logger) io.Writer { return &logLines{log: log} }

type logLines struct {
	log *slog.Logger

	mu   sync.Mutex
	rest []byte // a line that has not ended
}

func (l *logLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, b...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		if text := strings.TrimPrefix(strings.TrimSpace(string(line)), "mpt: "); text != "" {
			l.log.Info(text)
		}
		l.rest = append(l.rest[:0], rest...)
	}
}
