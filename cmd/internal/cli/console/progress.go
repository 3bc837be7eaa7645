package console

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// IsTerminal reports whether v, a reader or a writer, is a terminal.
func IsTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Progress shows how far a long task has come: a bar on a terminal, a line
// for every tenth otherwise. It is safe for concurrent use.
type Progress struct {
	w    io.Writer
	what string

	Quiet bool // nothing is shown

	mu     sync.Mutex
	bar    *progressbar.ProgressBar // nil until the first step on a terminal
	tenths int64                    // printed so far, without a bar
}

// NewProgress returns the progress of the task called what, shown on w.
func NewProgress(w io.Writer, what string) *Progress {
	return &Progress{w: w, what: what}
}

// Set says that done of total bytes are finished.
func (p *Progress) Set(done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case total <= 0 || p.Quiet:
	case IsTerminal(p.w):
		if p.bar == nil {
			p.bar = newBar(p.w, p.what, total)
		}
		p.bar.Set64(done)
	default:
		if tenths := 10 * done / total; tenths > p.tenths {
			p.tenths = tenths
			Note(p.w, "%s: %d%% of %s", p.what, 10*tenths, ByteSize(total))
		}
	}
}

func newBar(w io.Writer, what string, total int64) *progressbar.ProgressBar {
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(true),
		progressbar.OptionUseIECUnits(true),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionFullWidth(),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
}

// Describe changes what the bar is called.
func (p *Progress) Describe(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.Describe(what)
	}
}

// Logf prints a line without leaving pieces of the bar around it.
func (p *Progress) Logf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Quiet {
		return
	}
	if p.bar != nil {
		p.bar.Clear()
	}
	Note(p.w, p.what+": "+format, args...)
}

// Clear takes the bar off the screen.
func (p *Progress) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.Clear()
	}
}
