package repl

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/interrupt"
)

// chatSignals is what the signals to a chat at a terminal mean:
//
//   - While files are opened for the first prompt, each of them ends the process.
//   - SIGINT, which is Ctrl-C, stops an answer, and is Ctrl-C at the prompt. While a command
//     works, the first does nothing yet and the second ends the process.
//   - SIGTERM, SIGHUP and SIGQUIT (Ctrl-\) end the chat. If that takes too long, the second
//     ends the process.
//
// However the process ends, the terminal is restored first.
type chatSignals struct {
	cancel context.CancelFunc
	end    func(status int) // ends the process
	talk   func(text string)

	mu       sync.Mutex
	term     *terminal // nil before the first prompt
	prompted bool      // a line is being read
	answer   context.CancelFunc
	count    int // of SIGINT since a line was read
	ending   bool
}

// catchSignals makes the signals to the process mean that. The context is done when the chat is
// to end; stop undoes all of it.
func catchSignals(cmd *cobra.Command) (ctx context.Context, s *chatSignals, stop func()) {
	ctx, cancel := context.WithCancel(cmd.Context())
	s = &chatSignals{cancel: cancel, end: os.Exit, talk: func(text string) { console.Note(cmd.ErrOrStderr(), "%s", text) }}
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT}
	if interrupt.HangupCounts() {
		signals = append(signals, interrupt.Hangup)
	}
	come := make(chan os.Signal, 8)
	signal.Notify(come, signals...)
	go func() {
		for sig := range come {
			s.handle(sig)
		}
	}()
	return ctx, s, func() {
		signal.Stop(come)
		close(come)
		cancel()
	}
}

// handle does what a signal asks for.
func (s *chatSignals) handle(sig os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.term == nil || s.ending:
		s.kill()
	case sig != os.Interrupt:
		s.ending = true
		s.cancel()
	case s.prompted:
		s.term.Interrupt()
	case s.answer != nil:
		s.answer()
	default:
		if s.count++; s.count > 1 {
			s.kill()
			return
		}
		s.talk("Ctrl-C again ends the chat")
	}
}

// kill ends the process at once. A terminal that takes nothing any more must not keep it.
func (s *chatSignals) kill() {
	said := make(chan struct{})
	go func() {
		if s.term != nil {
			s.term.Restore()
		}
		s.talk("interrupted")
		close(said)
	}()
	select {
	case <-said:
	case <-time.After(time.Second):
	}
	s.end(1)
}

// attach says that the chat has a terminal from now on.
func (s *chatSignals) attach(t *terminal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.term = t
}

// ReadLine implements lineReader.
func (s *chatSignals) ReadLine(prompt string) (string, error) {
	s.set(func() { s.prompted, s.count = true, 0 })
	defer s.set(func() { s.prompted = false })
	return s.term.ReadLine(prompt)
}

// answering returns a context that ends when the user stops an answer.
func (s *chatSignals) answering(ctx context.Context) (context.Context, context.CancelFunc) {
	part, cancel := context.WithCancel(ctx)
	s.set(func() { s.answer = cancel })
	return part, func() {
		s.set(func() { s.answer = nil })
		cancel()
	}
}

func (s *chatSignals) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}
