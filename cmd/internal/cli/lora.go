package cli

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/server"
	"mptgo/mpt"
)

// loraFlag is the flag --lora: adapters with their scales.
type loraFlag struct {
	given     []string
	cmd       *cobra.Command // where notes go
	unapplied bool           // they are off until a request asks for them
}

// namedAdapter is what the flag says of one.
type namedAdapter struct {
	name, path string
	scale      float32
}

func (f *loraFlag) add(cmd *cobra.Command) {
	f.cmd = cmd
	cmd.Flags().StringArrayVar(&f.given, "lora", nil, "use the LoRA adapter `[NAME=]FILE[:SCALE]`, a GGUF file or a folder of PEFT; may be given more than once")
}

// options returns the adapters as options of the engine.
func (f *loraFlag) options() (opts []mpt.Option, err error) {
	list, err := f.parse()
	for _, a := range list {
		if f.unapplied {
			a.scale = 0
		}
		opts = append(opts, mpt.LoRA(a.path, a.scale))
	}
	return opts, err
}

// parse reads all that was given.
func (f *loraFlag) parse() (list []namedAdapter, err error) {
	for _, text := range f.given {
		a, err := parseNamed(text)
		if err != nil {
			return nil, fmt.Errorf("--lora %s: %w", text, err)
		}
		list = append(list, a)
	}
	return list, nil
}

// served returns the adapters as requests may name them.
func (f *loraFlag) served() (list []server.Adapter, err error) {
	given, err := f.parse()
	for _, a := range given {
		list = append(list, server.Adapter{Name: a.name, Scale: a.scale})
	}
	return list, err
}

// parseNamed reads [NAME=]FILE[:SCALE]. Without a name the adapter has that of its file, without
// the folder. A file that has the sign in its own name goes first.
func parseNamed(text string) (a namedAdapter, err error) {
	name, rest, ok := strings.Cut(text, "=")
	if path, _, err := splitAdapter(text); !ok || strings.ContainsAny(name, `/\`) || err == nil && exists(path) {
		name, rest = "", text
	} else if name == "" {
		return a, fmt.Errorf("the name before the = is empty")
	}
	if a.path, a.scale, err = parseAdapter(rest); err != nil {
		return a, err
	}
	if a.name = name; name == "" {
		a.name = strings.TrimSuffix(filepath.Base(filepath.Clean(a.path)), ".gguf")
	}
	return a, nil
}

// note says what a user should know of the adapters of a model.
func (f *loraFlag) note(m *mpt.Model) {
	for _, u := range m.Adapters() {
		for _, text := range u.Adapter.Notes() {
			note(f.cmd.ErrOrStderr(), "%s: %s", u.Adapter.Path(), text)
		}
	}
}

// parseAdapter reads FILE[:SCALE]. A file whose own name ends like that goes first.
func parseAdapter(text string) (path string, scale float32, err error) {
	if path, scale, err = splitAdapter(text); err == nil && !isFolder(path) {
		err = regular(path) // a pipe would be waited for
	}
	return path, scale, err
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// splitAdapter splits such a text.
func splitAdapter(text string) (path string, scale float32, err error) {
	if text == "" {
		return "", 0, fmt.Errorf("the name is empty")
	}
	at := strings.LastIndexByte(text, ':')
	if at < 0 || exists(text) {
		return text, 1, nil
	}
	path = text[:at]
	scale, err = parseScale(text[at+1:])
	switch {
	case err == nil && path == "":
		return "", 0, fmt.Errorf("the name is empty")
	case err == nil:
		return path, scale, nil
	case exists(path):
		return "", 0, err
	}
	return text, 1, nil // a name with a colon; what is wrong with it shows when it is opened
}

func parseScale(text string) (float32, error) {
	x, err := strconv.ParseFloat(text, 32)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, fmt.Errorf("%q is no scale: want a finite number", text)
	}
	return float32(x), nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
