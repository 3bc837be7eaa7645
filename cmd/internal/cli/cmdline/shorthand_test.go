package cmdline_test

import (
	"slices"
	"strings"
	"testing"

	"mptgo/cmd/internal/cli"
	"mptgo/cmd/internal/cli/cmdline"
)

// llama.cpp's flags of several letters become long ones, but not what only looks like one.
func TestLongFlags(t *testing.T) {
	for args, want := range map[string]string{
		"run -ctk q8_0 -ctv=f16":           "run --cache-type-k q8_0 --cache-type-v=f16",
		"bench -np 1,2 -m x":               "bench --parallel 1,2 -m x",
		"tokenize -p -np":                  "tokenize -p -np",
		"tokenize --prompt -ctk -p=-ctv":   "tokenize --prompt -ctk -p=-ctv",
		"run -ctk -ctv -p x":               "run --cache-type-k -ctv -p x",
		"run --ignore-eos -ctk f16":        "run --ignore-eos --cache-type-k f16",
		"run -- -ctk":                      "run -- -ctk",
		"nonsense -ctk f16":                "nonsense --cache-type-k f16",
		"run -m -hf":                       "run -m -hf",
		"run -c 5 -hf a/b -hff x -md y -v": "run -c 5 --hf-repo a/b --hf-file x --model-draft y -v",
		"run -hf=a/b:Q4_0 -hff=f":          "run --hf-repo=a/b:Q4_0 --hf-file=f",
		"run -hfr a/b -hft token":          "run --hf-repo a/b --hf-token token",
		"pull a/b -hft -hf":                "pull a/b --hf-token -hf",
		"run -hfx -h -f file":              "run -hfx -h -f file",
		"run -p x -- -hf":                  "run -p x -- -hf",
	} {
		if got := cmdline.LongFlags(cli.Mpt(), strings.Fields(args)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: %q, want %s", args, got, want)
		}
	}
}
