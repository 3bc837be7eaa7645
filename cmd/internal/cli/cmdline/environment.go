package cmdline

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"mptgo/cmd/internal/cli/console"
)

// llamaNames are the variables of llama.cpp's server that do not follow from the names of
// their flags.
var llamaNames = map[string]string{
	"parallel": "LLAMA_ARG_N_PARALLEL", "batch-size": "LLAMA_ARG_BATCH", "metrics": "LLAMA_ARG_ENDPOINT_METRICS",
	"slots": "LLAMA_ARG_ENDPOINT_SLOTS", "api-key": "LLAMA_API_KEY",
}

// variables returns the environment variables that stand in for a flag, the first goes before
// the others: MPT_X, then llama.cpp's LLAMA_ARG_X.
func variables(flag string) (names []string) {
	word := strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
	names = []string{"MPT_" + word, "LLAMA_ARG_" + word}
	if name := llamaNames[flag]; name != "" {
		names = append(names, name)
	}
	return names
}

// alternatives are flags of which one on the command line stands for all.
var alternatives = [][]string{
	{"model", "hf-repo", "hf-file"}, {"chat-template", "chat-template-file"},
	{"cache-type", "cache-type-k", "cache-type-v"},
}

// FromEnvironment sets flags that the command line says nothing about to what variables say.
func FromEnvironment(fs *pflag.FlagSet, lookup func(string) string) (err error) {
	settled := map[string]bool{"help": true, "check": true}
	fs.Visit(func(f *pflag.Flag) {
		settled[f.Name] = true
		for _, names := range alternatives {
			if slices.Contains(names, f.Name) {
				for _, name := range names {
					settled[name] = true
				}
			}
		}
	})
	fs.VisitAll(func(f *pflag.Flag) {
		if !settled[f.Name] && !f.Hidden && err == nil {
			err = setFromVariables(fs, f, lookup)
		}
	})
	return err
}

func setFromVariables(fs *pflag.FlagSet, f *pflag.Flag, lookup func(string) string) error {
	for _, name := range variables(f.Name) {
		if text := lookup(name); text != "" && !isServiceLink(text) {
			return setFrom(fs, f, name, text)
		}
		if text := lookup(negative(name)); text != "" && f.Value.Type() == "bool" {
			return setNot(fs, f, negative(name), text)
		}
	}
	return nil
}

// isServiceLink reports whether Kubernetes has set a variable for a service of that name, such
// as MPT_PORT=tcp://10.0.0.1:8080 for one called mpt.
func isServiceLink(text string) bool {
	scheme, _, ok := strings.Cut(text, "://")
	return ok && slices.Contains([]string{"tcp", "udp", "sctp"}, scheme)
}

// negative is the variable that switches off what another switches on.
func negative(name string) string {
	for _, prefix := range []string{"MPT_", "LLAMA_ARG_"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return prefix + "NO_" + rest
		}
	}
	return name
}

func setFrom(fs *pflag.FlagSet, f *pflag.Flag, name, text string) error {
	values := []string{text}
	switch f.Value.Type() {
	case "bool":
		on, err := switched(text)
		if err != nil {
			return fmt.Errorf("%s=%s: %w", name, console.Visible(text), err)
		}
		values = []string{fmt.Sprint(on)}
	case "stringArray":
		values = strings.Split(text, ",")
	}
	for _, v := range values {
		if err := fs.Set(f.Name, v); err != nil {
			return fmt.Errorf("%s=%s, which stands for --%s: %w", name, console.Visible(text), f.Name, err)
		}
	}
	return nil
}

func setNot(fs *pflag.FlagSet, f *pflag.Flag, name, text string) error {
	off, err := switched(text)
	if err != nil {
		return fmt.Errorf("%s=%s: %w", name, console.Visible(text), err)
	}
	return fs.Set(f.Name, fmt.Sprint(!off))
}

// switched reads llama.cpp's words for on and off.
func switched(text string) (on bool, err error) {
	switch strings.ToLower(text) {
	case "1", "true", "on", "yes", "enabled":
		return true, nil
	case "0", "false", "off", "no", "disabled":
		return false, nil
	}
	return false, errors.New("want 1 or 0")
}
