package cmdline

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// mayBeEmpty are the flags for texts that may be empty.
var mayBeEmpty = map[string]bool{"prompt": true, "system": true}

// RefuseEmpty makes the flags of cmd and its subcommands refuse an empty value: a script that
// gives one has lost it, and would not notice if the flag counted as not given.
func RefuseEmpty(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		switch f.DefValue { // help does not show these: they say that there is no default
		case "[]":
			f.DefValue = ""
		case "NaN":
			f.DefValue = "0"
		}
		switch f.Value.Type() {
		case "string", "stringArray", "stringSlice":
			if !mayBeEmpty[f.Name] {
				f.Value = notEmpty{f.Value, strings.Contains(f.Usage, "`FILE") ||
					strings.Contains(f.Usage, "`[NAME=]FILE")}
			}
		}
	})
	for _, c := range cmd.Commands() {
		RefuseEmpty(c)
	}
}

// notEmpty is the value of a flag that is not empty.
type notEmpty struct {
	pflag.Value
	file bool // it is a name
}

// Set implements pflag.Value.
func (v notEmpty) Set(s string) error {
	switch {
	case s != "":
		return v.Value.Set(s)
	case v.file:
		return errors.New("the name is empty")
	}
	return errors.New("the value is empty")
}

// NotEmptyArgs refuses arguments that are empty.
func NotEmptyArgs(cmd *cobra.Command, args []string) error {
	for i, a := range args {
		if a == "" {
			return fmt.Errorf("%s: argument %d: the name is empty", cmd.Name(), i+1)
		}
	}
	return nil
}

// FileName is the value of a flag for which the empty name means that it was not
// given: a script that gives one has lost the name.
type FileName string

func (f *FileName) String() string { return string(*f) }
func (f *FileName) Type() string   { return "string" }

// Set implements pflag.Value.
func (f *FileName) Set(s string) error {
	if s == "" {
		return errors.New("the name is empty")
	}
	*f = FileName(s)
	return nil
}
