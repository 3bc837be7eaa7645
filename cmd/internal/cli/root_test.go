package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/interrupt"
)

// wait is a command that waits for its context.
func wait(start func()) *cobra.Command {
	return &cobra.Command{Use: "mpt", RunE: interrupt.Handled(func(cmd *cobra.Command, _ []string) error {
		start()
		select {
		case <-cmd.Context().Done():
			return cmd.Context().Err()
		case <-time.After(time.Minute):
			return errors.New("nothing happened")
		}
	})}
}

func TestInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot send itself an interrupt")
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM, interrupt.Hangup} {
		if signal.Ignored(sig) {
			continue
		}
		cmd := wait(func() {
			if err := self.Signal(sig); err != nil {
				t.Error(err)
			}
		})
		var stderr bytes.Buffer
		cmd.SetErr(&stderr)
		if status := Main(cmd, []string{}); status != 1 || stderr.String() != "mpt: interrupted\n" {
			t.Errorf("%v: status %d, message %q", sig, status, stderr.String())
		}
	}
}

func TestMainPrintsErrors(t *testing.T) {
	cmd := &cobra.Command{Use: "mpt", RunE: func(*cobra.Command, []string) error { return errors.New("what: where: why") }}
	var stdout, stderr bytes.Buffer
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	if status := Main(cmd, []string{}); status != 1 || stdout.Len() > 0 || stderr.String() != "mpt: what: where: why\n" {
		t.Errorf("status %d, printed %q, message %q", status, stdout.String(), stderr.String())
	}
	stderr.Reset()
	cmd.RunE = func(*cobra.Command, []string) error { return errors.Join(errors.New("one"), errors.New("two")) }
	if status := Main(cmd, []string{}); status != 1 || stderr.String() != "mpt: one; two\n" {
		t.Errorf("status %d, message %q: want one line", status, stderr.String())
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return context.Cause(cmd.Context()) }
	if status := Main(cmd, []string{}); status != 0 {
		t.Errorf("status %d without an error", status)
	}
}
