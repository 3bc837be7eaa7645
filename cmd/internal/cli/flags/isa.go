package flags

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mptgo/ggml"
)

// ISAVariable is the environment variable that stands in for --isa.
const ISAVariable = "MPTGO_ISA"

// ISA is --isa: which kernels to use.
type ISA struct {
	Name string
	Flag *pflag.Flag
}

// Add adds the flag.
func (f *ISA) Add(cmd *cobra.Command) {
	f.Flag = AddISA(cmd, func(usage string) { cmd.Flags().StringVar(&f.Name, "isa", "", usage) })
}

// AddISA adds a flag called isa, by add, and returns it.
func AddISA(cmd *cobra.Command, add func(usage string)) *pflag.Flag {
	names := ggml.Tiers()
	add("use the kernels called `NAME` (or environment " + ISAVariable + "; default: the fastest); this CPU has " +
		strings.Join(names, ", "))
	cmd.RegisterFlagCompletionFunc("isa", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
	return cmd.Flags().Lookup("isa")
}

// Asked returns the name that was asked for, and where: by the flag or, without
// it, by the variable. Both are empty if neither was given.
func (f *ISA) Asked() (name, where string) {
	if f.Flag.Changed {
		return f.Name, "--isa"
	}
	if name = os.Getenv(ISAVariable); name != "" {
		return name, ISAVariable
	}
	return "", ""
}

// Choose returns the name of the kernels to use.
func (f *ISA) Choose() (string, error) {
	asked, where := f.Asked()
	name, err := ggml.TierName(asked)
	if err != nil {
		return "", fmt.Errorf("%s: %w", where, err)
	}
	return name, nil
}
