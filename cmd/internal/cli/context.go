package cli

import (
	"github.com/spf13/cobra"

	"mptgo/mpt"
)

// newSession returns a session with a context of n tokens, 0 for what the model was
// trained for, and warns of one that is longer than that.
func newSession(cmd *cobra.Command, m *mpt.Model, n int) (*mpt.Session, error) {
	s, err := m.NewSession(mpt.ContextSize(n))
	if err != nil {
		return nil, err
	}
	noteLength(cmd, m, s.ContextSize())
	return s, nil
}

// noteLength says what to expect of a context of n tokens, if the model was trained for
// less. Models with learned positions refuse it.
func noteLength(cmd *cobra.Command, m *mpt.Model, n int) {
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
	note(cmd.ErrOrStderr(), "a context of %d tokens: the model was trained for %d; %s", n, c.Context, expect)
}
