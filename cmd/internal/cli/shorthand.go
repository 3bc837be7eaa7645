package cli

import (
	"slices"
	"strings"
)

// shorthands are llama.cpp's flags of one dash and several letters, which the parser of
// flags would take for letters of their own, and what they are called here.
var shorthands = map[string]string{
	"-ctk": "--cache-type-k",
	"-ctv": "--cache-type-v",
	"-np":  "--parallel",
	"-md":  "--model-draft",
	"-hf":  "--hf-repo",
	"-hfr": "--hf-repo",
	"-hff": "--hf-file",
	"-hft": "--hf-token",
}

// longFlags replaces shorthands, also with a value behind an equals sign, by the flags
// they stand for.
func longFlags(args []string) []string {
	args = slices.Clone(args)
	for i, arg := range args {
		if arg == "--" {
			break
		}
		name, _, _ := strings.Cut(arg, "=")
		if long, ok := shorthands[name]; ok {
			args[i] = long + arg[len(name):]
		}
	}
	return args
}
