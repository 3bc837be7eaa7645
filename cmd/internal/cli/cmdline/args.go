// Package cmdline reads command lines as all subcommands do, whatever they are about. Look at
// [AddChoice] and [Format] for flags, [WantArgs] and [NoArgs] for arguments, [OneOnly] for flags
// that exclude each other.
//
// The rest is for the root command: [LongFlags] knows llama.cpp's short forms, [FromEnvironment]
// its variables, [RefuseEmpty] values that a script has lost.
package cmdline

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mptgo/cmd/internal/cli/console"
)

// WantArgs is cobra.ExactArgs with an error that says of which command, and where to look.
func WantArgs(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return NotEmptyArgs(cmd, args)
		}
		return fmt.Errorf("%s: %s, not %d: see %s --help", cmd.Name(),
			console.Plural(len(args), "argument", "arguments"), n, cmd.CommandPath())
	}
}

// NoArgs refuses arguments of a command that has flags only.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %q: it takes flags only: see %s --help", cmd.Name(), args[0], cmd.CommandPath())
}

// NoCommand refuses what is not the name of a subcommand, and says what it may
// have meant.
func NoCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	root.SuggestionsMinimumDistance = 2
	hint := ""
	if near := root.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf(" (did you mean %s?)", strings.Join(near, " or "))
	}
	return fmt.Errorf("unknown command %q%s: see %s --help", args[0], hint, root.CommandPath())
}

// OneOnly returns an error if more than one of the named flags was given.
func OneOnly(cmd *cobra.Command, flags ...string) error {
	var given []string
	for _, name := range flags {
		if cmd.Flags().Changed(name) {
			given = append(given, "--"+name)
		}
	}
	if len(given) > 1 {
		return fmt.Errorf("%s: %s: give only one of them", cmd.Name(), strings.Join(given, " and "))
	}
	return nil
}

// NewHelp returns the subcommand help of root. It is cobra's, but for a topic
// that does not exist, which is an error.
func NewHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Explain a command",
		RunE: func(help *cobra.Command, args []string) error {
			cmd, rest, err := help.Root().Find(args)
			if err == nil && cmd == help.Root() {
				err = NoCommand(cmd, rest)
			}
			if err != nil {
				return err
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
		ValidArgsFunction: func(help *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			var names []cobra.Completion
			if len(args) == 0 {
				for _, c := range help.Root().Commands() {
					if c.IsAvailableCommand() {
						names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// PlainFlagError returns err, which the flags of cmd caused, in plain words where it
// comes from package strconv.
func PlainFlagError(cmd *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	var number *strconv.NumError
	if !errors.As(err, &invalid) || !errors.As(err, &number) {
		return err
	}
	what := map[string]string{"ParseFloat": "a number", "ParseBool": "true or false",
		"ParseUint": "a whole number of at least 0"}[number.Func]
	if what == "" {
		what = "a whole number"
	}
	name := "--" + invalid.GetFlag().Name
	if short := invalid.GetFlag().Shorthand; short != "" {
		name = "-" + short + ", " + name
	}
	if errors.Is(number, strconv.ErrRange) {
		return fmt.Errorf("%s: %s: %q is out of range", cmd.Name(), name, number.Num)
	}
	return fmt.Errorf("%s: %s: %q is not %s", cmd.Name(), name, number.Num, what)
}
