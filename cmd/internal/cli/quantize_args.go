package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/fileio"
	"mptgo/gguf"
	"mptgo/mpt/convert"
	"mptgo/quantize/recipes"
)

// checkFiles accepts SRC and OUT, and what llama-quantize takes after them: the type and the
// number of threads.
func (f *quantizeFlags) checkFiles(cmd *cobra.Command, args []string) error {
	given := cmd.Flags().Changed
	switch {
	case len(args) == 2 && isType(args[1]) && !given("type") && !given("target-bpw"):
		return fmt.Errorf("%s: %s is a type: give the output before it: %s %s OUT.gguf %s",
			cmd.Name(), args[1], cmd.CommandPath(), args[0], args[1])
	case len(args) == 3 || len(args) == 4:
		if err := f.takeType(cmd, args[2:]); err != nil {
			return err
		}
	default:
		if err := cmdline.WantArgs(2)(cmd, args); err != nil {
			return err
		}
	}
	return errors.Join(cmdline.NotEmptyArgs(cmd, args), fileio.NoStdout(args[1]))
}

// takeType takes the arguments after SRC and OUT.
func (f *quantizeFlags) takeType(cmd *cobra.Command, rest []string) error {
	given := cmd.Flags().Changed
	switch {
	case !isType(rest[0]) && isReadable(rest[0]):
		return fmt.Errorf("%s: %s can be read, but no file can be made of it: see %s --help",
			cmd.Name(), rest[0], cmd.CommandPath())
	case !isType(rest[0]):
		return fmt.Errorf("%s: %q, the third argument, is not a type: see %s --help",
			cmd.Name(), rest[0], cmd.CommandPath())
	case given("type"):
		return fmt.Errorf("%s: --type %s and %s: give the type only once", cmd.Name(), f.Type, rest[0])
	}
	f.Type = rest[0]
	if len(rest) == 1 {
		return nil
	}
	n, err := strconv.Atoi(rest[1])
	switch {
	case err != nil || n < 0:
		return fmt.Errorf("%s: %q, the fourth argument, is not a number of threads", cmd.Name(), rest[1])
	case given("threads"):
		return fmt.Errorf("%s: --threads and %s: give the number of threads only once", cmd.Name(), rest[1])
	}
	f.Threads = n
	return nil
}

// isType reports whether text is what --type takes.
func isType(text string) bool {
	_, err := recipes.Parse(text)
	return err == nil || strings.EqualFold(text, convert.Copy)
}

// isReadable reports whether text is the name of a type of tensors, of which there may be no
// files.
func isReadable(text string) bool {
	_, err := gguf.ParseType(text)
	return err == nil
}

// files returns SRC and OUT, or OUT alone.
func (f *quantizeFlags) files(args []string) []string { return args[:min(len(args), 2)] }
