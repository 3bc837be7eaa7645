package flags

import "github.com/spf13/pflag"

// AddNoWrap adds the flag with which a text on a terminal keeps its lines. The name is Ollama's.
func AddNoWrap(fs *pflag.FlagSet, noWrap *bool) {
	fs.BoolVar(noWrap, "nowordwrap", false, "do not break lines between words on a terminal")
}
