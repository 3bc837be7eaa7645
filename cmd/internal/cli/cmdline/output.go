package cmdline

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Format is -o: in which form results are printed.
type Format struct{ Name string }

// Add adds -o with "json" as the alternative to the form called plain, the
// default.
func (f *Format) Add(cmd *cobra.Command, plain string) {
	f.Name = plain
	AddChoice(cmd, &f.Name, "output", "o", "print `FORMAT`", plain, "json")
}

// JSON reports whether it is JSON.
func (f *Format) JSON() bool { return f.Name == "json" }

// AddChoice adds a flag that takes one of a few words; *value is the default.
func AddChoice(cmd *cobra.Command, value *string, name, short, usage string, words ...string) {
	cmd.Flags().VarP(&oneOf{value, words}, name, short, usage+": "+strings.Join(words, " or "))
	cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// oneOf is the value of such a flag.
type oneOf struct {
	value *string
	words []string
}

func (o *oneOf) String() string { return *o.value }
func (o *oneOf) Type() string   { return "string" }

func (o *oneOf) Set(s string) error {
	for _, w := range o.words {
		if s == w {
			*o.value = s
			return nil
		}
	}
	return fmt.Errorf("want %s", strings.Join(o.words, " or "))
}
