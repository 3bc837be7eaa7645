package cli_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli"
)

var (
	shown    = regexp.MustCompile(`(?m)^(?: {4}|> )(?:\$ )?(?:.*\| )?(mpt|mpt-quantize) (.*)$`)
	longFlag = regexp.MustCompile(`(?:^| )--([a-z][a-z0-9_-]*)`)
)

// TestDocumentedFlags: the commands and long flags that the documentation shows exist.
func TestDocumentedFlags(t *testing.T) {
	pages, err := filepath.Glob("../../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, p := range append(pages, "../../../README.md", "../../../examples/voice/README.md") {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range shown.FindAllStringSubmatch(strings.ReplaceAll(string(text), "\\\n", ""), -1) {
			root, line := cli.Mpt(), m[2]
			if m[1] == "mpt-quantize" {
				root = cli.Quantize()
			}
			line, _, _ = strings.Cut(line, " # ")
			cmd, _, err := root.Find(strings.Fields(line))
			if err != nil || cmd == root && m[1] == "mpt" && !strings.HasPrefix(line, "-") {
				t.Errorf("%s: mpt %s: there is no such command: %v", p, line, err)
				continue
			}
			for _, f := range longFlag.FindAllStringSubmatch(line, -1) {
				if seen++; !hasFlag(cmd, f[1]) {
					t.Errorf("%s: %s has no flag --%s: %s", p, cmd.CommandPath(), f[1], line)
				}
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d flags were seen", seen)
	}
}

// hasFlag reports whether cmd takes a flag, with the spellings that the command line allows.
func hasFlag(cmd *cobra.Command, name string) bool {
	name = strings.ReplaceAll(name, "_", "-")
	for _, n := range []string{name, strings.TrimPrefix(name, "no-")} {
		if cmd.Flags().Lookup(n) != nil || cmd.InheritedFlags().Lookup(n) != nil {
			return true
		}
	}
	return name == "help" || name == "version"
}
