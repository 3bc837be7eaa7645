package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// isTerminal reports whether v, a reader or a writer, is a terminal.
func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// progress shows how far a long task has come: a bar on a terminal, a line
// for every tenth otherwise. It is safe for concurrent use.
type progress struct {
	w    io.Writer
	what string

	quiet bool // nothing is shown

	mu     sync.Mutex
	bar    *progressbar.ProgressBar // nil until the first step on a terminal
	tenths int64                    // printed so far, without a bar
}

// newProgress returns the progress of the task called what, shown on w.
func newProgress(w io.Writer, what string) *progress {
	return &progress{w: w, what: what}
}

// set says that done of total bytes are finished.
func (p *progress) set(done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case total <= 0 || p.quiet:
	case isTerminal(p.w):
		if p.bar == nil {
			p.bar = newBar(p.w, p.what, total)
		}
		p.bar.Set64(done)
	default:
		if tenths := 10 * done / total; tenths > p.tenths {
			p.tenths = tenths
			note(p.w, "%s: %d%% of %s", p.what, 10*tenths, byteSize(total))
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

// describe changes what the bar is called.
func (p *progress) describe(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.Describe(what)
	}
}

// logf prints a line without leaving pieces of the bar around it.
func (p *progress) logf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.quiet {
		return
	}
	if p.bar != nil {
		p.bar.Clear()
	}
	note(p.w, p.what+": "+format, args...)
}

// clear takes the bar off the screen.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.Clear()
	}
}

// byteSize returns n bytes for people, such as "3.7 GiB".
func byteSize(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, u := float64(n)/1024, 0
	for v >= 999.95 && u < len(units)-1 {
		v, u = v/1024, u+1
	}
	return fmt.Sprintf("%.1f %ciB", v, units[u])
}
