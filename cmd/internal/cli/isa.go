package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mptgo/ggml"
)

// isaVariable is the environment variable that stands in for --isa.
const isaVariable = "MPTGO_ISA"

// isaFlag is --isa: which kernels to use.
type isaFlag struct {
	name string
	flag *pflag.Flag
}

func (f *isaFlag) add(cmd *cobra.Command) {
	f.flag = addISA(cmd, func(usage string) { cmd.Flags().StringVar(&f.name, "isa", "", usage) })
}

// addISA adds a flag called isa, by add, and returns it.
func addISA(cmd *cobra.Command, add func(usage string)) *pflag.Flag {
	names := ggml.Tiers()
	add("use the kernels called `NAME` (or environment " + isaVariable + "; default: the fastest); this CPU has " + strings.Join(names, ", "))
	cmd.RegisterFlagCompletionFunc("isa", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
	return cmd.Flags().Lookup("isa")
}

// asked returns the name that was asked for, and where: by the flag or, without
// it, by the variable. Both are empty if neither was given.
func (f *isaFlag) asked() (name, where string) {
	if f.flag.Changed {
		return f.name, "--isa"
	}
	if name = os.Getenv(isaVariable); name != "" {
		return name, isaVariable
	}
	return "", ""
}

// choose returns the name of the kernels to use.
func (f *isaFlag) choose() (string, error) {
	asked, where := f.asked()
	name, err := ggml.TierName(asked)
	if err != nil {
		return "", fmt.Errorf("%s: %w", where, err)
	}
	return name, nil
}
