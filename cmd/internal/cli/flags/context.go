package flags

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/console"
	"mptgo/mpt"
)

// NewSession returns a session with a context of n tokens, and warns of one that is longer
// than what the model was trained for. With 0 it is as long as that or, with a note, as
// long as there is memory for.
func NewSession(cmd *cobra.Command, m *mpt.Model, n int) (*mpt.Session, error) {
	s, err := m.NewSession(mpt.ContextSize(n))
	if full := (*mpt.MemoryError)(nil); n == 0 && errors.As(err, &full) && full.Fits > 0 {
		if s, err = m.NewSession(mpt.ContextSize(full.Fits)); err == nil {
			console.Note(cmd.ErrOrStderr(), "a context of %d tokens, of the %d that the model was trained for: that is what fits into the %s that are %s",
				full.Fits, full.Context, console.ByteSize(full.Limit.Bytes), full.Limit.Source)
		}
	}
	if err != nil {
		return nil, err
	}
	NoteLength(cmd, m, s.ContextSize())
	return s, nil
}

// ExplainMemory adds to an error about memory which flags help.
func ExplainMemory(err error) error {
	full := (*mpt.MemoryError)(nil)
	switch {
	case !errors.As(err, &full):
		return err
	case full.Fits > 0:
		return fmt.Errorf("%w (-c %d); --ignore-memory starts nevertheless", err, full.Fits)
	}
	return fmt.Errorf("%w; --ignore-memory starts nevertheless", err)
}

// NoteLength says what to expect of a context of n tokens, if the model was trained for
// less. Models with learned positions refuse it.
func NoteLength(cmd *cobra.Command, m *mpt.Model, n int) {
	c := m.Config()
	if n <= c.Context {
		return
	}
	expect := "it has no positions that would show it the order of more"
	switch {
	case c.AlibiMax > 0:
		expect = "its ALiBi positions go on beyond that, the better the closer"
	case c.Rotary.Dim > 0:
		expect = "beyond that its rotary positions are new to it: expect the text to fall apart"
	}
	console.Note(cmd.ErrOrStderr(), "a context of %d tokens: the model was trained for %d; %s", n, c.Context, expect)
}
