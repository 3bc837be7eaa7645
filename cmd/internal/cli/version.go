package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"mptgo/ggml"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, the Go version and the kernels of this CPU",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tiers := ggml.Tiers()
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "mpt %s\n%s %s/%s\nkernels: %s (available: %s)\n",
				buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH,
				tiers[len(tiers)-1], strings.Join(tiers, ", "))
			return err
		},
	}
}

// version is set by release builds: -ldflags "-X mptgo/cmd/internal/cli.version=v1.2.3".
var version string

// buildVersion returns the version of a release, or the module version, and the commit if
// the build knows it.
func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version := info.Main.Version
	if version == "" {
		version = "(devel)"
	}
	var commit, modified string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = " commit " + s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = " with local changes"
		}
	}
	return version + commit + modified
}
