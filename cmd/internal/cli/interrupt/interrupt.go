// Package interrupt lets signals end commands in an orderly way. Start with [Handled], around
// the function that runs a command; [Error] tells that a command was ended and not that it failed.
package interrupt

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Error is the error of a command that was ended and has printed what it had.
type Error struct{ Err error }

// Error implements error.
func (e Error) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e Error) Unwrap() error { return e.Err }

// Handled makes the context of run end at the first SIGINT, SIGTERM, SIGQUIT
// (Ctrl-\) or, unless nohup has it ignored, SIGHUP. The second one ends the process, so that
// nothing can hold it up.
func Handled(run func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		signals := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT}
		if HangupCounts() {
			signals = append(signals, Hangup)
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), signals...)
		defer stop()
		context.AfterFunc(ctx, stop)
		cmd.SetContext(ctx)
		return run(cmd, args)
	}
}
