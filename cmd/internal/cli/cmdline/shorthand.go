package cmdline

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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
	"-jf":  "--json-schema-file",
}

// LongFlags replaces shorthands, also with a value behind an equals sign, by the flags they
// stand for, but not where they are the value of another flag.
func LongFlags(root *cobra.Command, args []string) []string {
	cmd, _, err := root.Find(args)
	if err != nil {
		cmd = root
	}
	args = slices.Clone(args)
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		name, _, _ := strings.Cut(args[i], "=")
		if long, ok := shorthands[name]; ok {
			args[i] = long + args[i][len(name):]
		}
		args[i] = positive(cmd.Flags(), args[i])
		if wantsValue(cmd.Flags(), args[i]) {
			i++
		}
	}
	return args
}

// positive turns --no-NAME into --NAME=false, if only NAME is a flag and may be given alone.
func positive(fs *pflag.FlagSet, arg string) string {
	name, ok := strings.CutPrefix(arg, "--no-")
	if f := fs.Lookup(name); ok && f != nil && f.Value.Type() == "bool" && fs.Lookup("no-"+name) == nil {
		return "--" + name + "=false"
	}
	return arg
}

// wantsValue reports whether the argument is a flag whose value is the next one.
func wantsValue(fs *pflag.FlagSet, arg string) bool {
	var f *pflag.Flag
	switch name, long := strings.CutPrefix(arg, "--"); {
	case long:
		f = fs.Lookup(name) // none of a name with a value behind an equals sign
	case len(arg) == 2 && arg[0] == '-':
		f = fs.ShorthandLookup(arg[1:])
	}
	return f != nil && f.NoOptDefVal == ""
}
