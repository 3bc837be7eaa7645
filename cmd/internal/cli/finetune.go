package cli

import (
	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/finetune"
	"mptgo/mpt"
)

// newFinetune returns the command that trains adapters.
func newFinetune() *cobra.Command {
	cmd := finetune.New(func(path string, opts ...mpt.Option) (*mpt.Model, error) {
		return (&modelFlags{path: path}).openWith(opts)
	})
	cmd.RunE = interruptible(cmd.RunE)
	return cmd
}
