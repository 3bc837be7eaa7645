package cmdline_test

import (
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mptgo/cmd/internal/cli"
	"mptgo/cmd/internal/cli/cmdline"
)

// Every flag that takes a text refuses the empty one, but for those that say what it means.
func TestEmptyFlags(t *testing.T) {
	var walk func(cmd *cobra.Command)
	seen, mayBeEmpty := 0, map[string]bool{"prompt": true, "system": true}
	walk = func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Value.Type() == "VALUE" {
				return // of the samplers: there an empty list is one
			}
			err := f.Value.Set("")
			if seen++; (err == nil) != mayBeEmpty[f.Name] {
				t.Errorf("%s --%s '': %v", cmd.CommandPath(), f.Name, err)
			}
		})
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	root := cli.Mpt()
	cmdline.RefuseEmpty(root)
	walk(root)
	if seen < 100 {
		t.Errorf("only %d flags were seen", seen)
	}
}
