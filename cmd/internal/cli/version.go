package cli

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/version"
	"mptgo/ggml"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, the Go version and the kernels of this CPU",
		Args:  cmdline.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tiers := ggml.Tiers()
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "mpt %s\n%s %s/%s\nkernels: %s (available: %s)\n",
				version.String(), runtime.Version(), runtime.GOOS, runtime.GOARCH,
				tiers[len(tiers)-1], strings.Join(tiers, ", "))
			return err
		},
	}
}
