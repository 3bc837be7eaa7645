package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
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
	{groupTalk, newChat},
	{groupTalk, newRun},
	{groupTalk, newServe},
	{groupTalk, newBatch},
	{groupFiles, newPull},
	{groupFiles, newCache},
	{groupFiles, newQuantize},
	{groupFiles, newFinetune},
	{groupFiles, newMerge},
	{groupFiles, newImatrix},
	{groupFiles, newInspect},
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
		Version: buildVersion(),
		Args:    noCommand,
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
	root.SetHelpCommand(newHelp())
	return root
}

// Quantize returns the command mpt-quantize.
func Quantize() *cobra.Command {
	cmd := quantizeCommand("mpt-quantize", "mpt-quantize")
	cmd.Version = buildVersion()
	return cmd
}

// Main runs root with the arguments args and returns the exit status.
func Main(root *cobra.Command, args []string) int {
	root.SetArgs(longFlags(root, args))
	root.SilenceErrors, root.SilenceUsage = true, true
	keepFlagOrder(root)
	refuseEmpty(root)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w: see %s --help", plainFlagError(cmd, err), cmd.CommandPath())
	})
	help := checkedHelp(root)
	err := root.Execute()
	if err == nil {
		err = *help
	}
	switch err = memoryFlags(err); {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled):
		note(root.ErrOrStderr(), "interrupted")
		if errors.As(err, &interrupted{}) {
			return 130 // of shells, for a signal at a keyboard
		}
	case errors.As(err, &someFailed{}):
		note(root.ErrOrStderr(), "%s", err)
		return 3
	default:
		// Joined errors have a line each; a script that reads lines wants one.
		note(root.ErrOrStderr(), "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
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

// note prints a line of talk. What package mpt says begins with the name of the
// program already, also where a command has put something before it.
func note(w io.Writer, format string, args ...any) {
	text := ": " + fmt.Sprintf(format, args...)
	for _, name := range []string{"mpt", "measure"} {
		text = strings.ReplaceAll(text, ": "+name+": ", ": ")
	}
	fmt.Fprintf(w, "mpt%s\n", visible(flagWords.Replace(text)))
}

// keepFlagOrder makes help show the flags of cmd and its subcommands in the order
// in which they were added: what matters most comes first.
func keepFlagOrder(cmd *cobra.Command) {
	cmd.Flags().SortFlags = false
	for _, c := range cmd.Commands() {
		keepFlagOrder(c)
	}
}

// interruptible makes the context of run end at the first SIGINT, SIGTERM, SIGQUIT
// (Ctrl-\) or, unless nohup has it ignored, SIGHUP. The second one ends the process, so that
// nothing can hold it up.
func interruptible(run func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		signals := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT}
		if hangupCounts() {
			signals = append(signals, hangup)
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), signals...)
		defer stop()
		context.AfterFunc(ctx, stop)
		cmd.SetContext(ctx)
		return run(cmd, args)
	}
}
