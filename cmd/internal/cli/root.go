package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/finetune"
	"mptgo/cmd/internal/cli/flags"
	"mptgo/cmd/internal/cli/inspect"
	"mptgo/cmd/internal/cli/interrupt"
	"mptgo/cmd/internal/cli/pull"
	"mptgo/cmd/internal/cli/repl"
	"mptgo/cmd/internal/cli/version"
)

// The groups in which help lists the subcommands.
const (
	groupTalk    = "talk"
	groupFiles   = "files"
	groupMeasure = "measure"
)

// commands lists the subcommands in the order of the help text.
var commands = []struct {
	group string
	build func() *cobra.Command
}{
	{groupTalk, repl.NewCommand},
	{groupTalk, newRun},
	{groupTalk, newServe},
	{groupTalk, newBatch},
	{groupFiles, pull.NewCommand},
	{groupFiles, pull.NewCacheCommand},
	{groupFiles, newQuantize},
	{groupFiles, finetune.NewCommand},
	{groupFiles, newMerge},
	{groupFiles, newImatrix},
	{groupFiles, inspect.NewCommand},
	{groupMeasure, newBench},
	{groupMeasure, newPerplexity},
	{groupMeasure, newEval},
	{groupMeasure, newTokenize},
	{groupMeasure, newLogits},
	{"", newVersion},
}

const rootLong = `mpt runs MosaicML's MPT language models on an ordinary CPU.

Examples:
  mpt chat                                        talk to the small model that is built in
  mpt quantize mpt-7b-chat/ 7b.gguf --type Q4_0   make a model file from a checkpoint
  mpt chat -m 7b.gguf                             talk to it

Model files are GGUF, the format of llama.cpp; a HuggingFace checkpoint folder is
converted once, with mpt quantize. The flags are those of llama.cpp where it has them.`

// Mpt returns the command mpt with all its subcommands.
func Mpt() *cobra.Command {
	root := &cobra.Command{
		Use:     "mpt",
		Short:   "Run MPT language models on this CPU",
		Long:    rootLong,
		Version: version.String(),
		Args:    cmdline.NoCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddGroup(
		&cobra.Group{ID: groupTalk, Title: "Talk:"},
		&cobra.Group{ID: groupFiles, Title: "Model files:"},
		&cobra.Group{ID: groupMeasure, Title: "Measure and look inside:"},
	)
	for _, c := range commands {
		cmd := c.build()
		cmd.GroupID = c.group
		root.AddCommand(cmd)
	}
	root.SetHelpCommand(cmdline.NewHelp())
	return root
}

// Quantize returns the command mpt-quantize.
func Quantize() *cobra.Command {
	cmd := quantizeCommand("mpt-quantize", "mpt-quantize")
	cmd.Version = version.String()
	return cmd
}

// Main runs root with the arguments args and returns the exit status.
func Main(root *cobra.Command, args []string) int {
	root.SetArgs(cmdline.LongFlags(root, args))
	root.SilenceErrors, root.SilenceUsage = true, true
	keepFlagOrder(root)
	cmdline.RefuseEmpty(root)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w: see %s --help", cmdline.PlainFlagError(cmd, err), cmd.CommandPath())
	})
	help := checkedHelp(root)
	err := root.Execute()
	if err == nil {
		err = *help
	}
	switch err = flags.ExplainMemory(err); {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled):
		console.Note(root.ErrOrStderr(), "interrupted")
		if errors.As(err, &interrupt.Error{}) {
			return 130 // of shells, for a signal at a keyboard
		}
	case errors.As(err, &someFailed{}):
		console.Note(root.ErrOrStderr(), "%s", err)
		return 3
	default:
		// Joined errors have a line each; a script that reads lines wants one.
		console.Note(root.ErrOrStderr(), "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return 1
}

// checkedHelp makes root's help text appear in one piece and returns where the
// error is kept if it could not be printed.
func checkedHelp(root *cobra.Command) *error {
	failed, print := new(error), root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		var text bytes.Buffer
		out := cmd.OutOrStdout()
		cmd.SetOut(&text)
		print(cmd, args)
		cmd.SetOut(out)
		_, *failed = out.Write(text.Bytes())
	})
	return failed
}

// keepFlagOrder makes help show the flags of cmd and its subcommands in the order
// in which they were added: what matters most comes first.
func keepFlagOrder(cmd *cobra.Command) {
	cmd.Flags().SortFlags = false
	for _, c := range cmd.Commands() {
		keepFlagOrder(c)
	}
}
