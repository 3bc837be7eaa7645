package flags

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/fileio"
	"mptgo/mpt"
)

// LoRA is the flag --lora: adapters with their scales.
type LoRA struct {
	Given     []string
	Unapplied bool           // they are off until somebody asks for them
	cmd       *cobra.Command // where notes go
}

// Adapter is what the flag says of one.
type Adapter struct {
	Name, Path string
	Scale      float32
}

func (f *LoRA) add(cmd *cobra.Command) {
	f.cmd = cmd
	cmd.Flags().StringArrayVar(&f.Given, "lora", nil,
		"use the LoRA adapter `[NAME=]FILE[:SCALE]`, a GGUF file or a folder of PEFT; "+
			"may be given more than once")
}

// options returns the adapters as options of the engine.
func (f *LoRA) options() (opts []mpt.Option, err error) {
	list, err := f.Adapters()
	for _, a := range list {
		if f.Unapplied {
			a.Scale = 0
		}
		opts = append(opts, mpt.LoRA(a.Path, a.Scale))
	}
	return opts, err
}

// Adapters reads all that was given.
func (f *LoRA) Adapters() (list []Adapter, err error) {
	for _, text := range f.Given {
		a, err := parseNamed(text)
		if err != nil {
			return nil, fmt.Errorf("--lora %s: %w", text, err)
		}
		list = append(list, a)
	}
	return list, nil
}

// parseNamed reads [NAME=]FILE[:SCALE]. Without a name the adapter has that of its file, without
// the folder. A file that has the sign in its own name goes first.
func parseNamed(text string) (a Adapter, err error) {
	name, rest, ok := strings.Cut(text, "=")
	if path, _, err := splitAdapter(text); !ok || strings.ContainsAny(name, `/\`) || err == nil && fileio.Exists(path) {
		name, rest = "", text
	} else if name == "" {
		return a, fmt.Errorf("the name before the = is empty")
	}
	if a.Path, a.Scale, err = ParseAdapter(rest); err != nil {
		return a, err
	}
	if a.Name = name; name == "" {
		a.Name = strings.TrimSuffix(filepath.Base(filepath.Clean(a.Path)), ".gguf")
	}
	return a, nil
}

// note says what a user should know of the adapters of a model.
func (f *LoRA) note(m *mpt.Model) {
	for _, u := range m.Adapters() {
		for _, text := range u.Adapter.Notes() {
			console.Note(f.cmd.ErrOrStderr(), "%s: %s", u.Adapter.Path(), text)
		}
	}
}

// ParseAdapter reads FILE[:SCALE]. A file whose own name ends like that goes first.
func ParseAdapter(text string) (path string, scale float32, err error) {
	if path, scale, err = splitAdapter(text); err == nil && !fileio.IsFolder(path) {
		err = fileio.Regular(path) // a pipe would be waited for
	}
	return path, scale, err
}

// splitAdapter splits such a text.
func splitAdapter(text string) (path string, scale float32, err error) {
	if text == "" {
		return "", 0, fmt.Errorf("the name is empty")
	}
	at := strings.LastIndexByte(text, ':')
	if at < 0 || fileio.Exists(text) {
		return text, 1, nil
	}
	path = text[:at]
	scale, err = ParseScale(text[at+1:])
	switch {
	case err == nil && path == "":
		return "", 0, fmt.Errorf("the name is empty")
	case err == nil:
		return path, scale, nil
	case fileio.Exists(path):
		return "", 0, err
	}
	return text, 1, nil // a name with a colon; what is wrong with it shows when it is opened
}

// ParseScale reads the scale of an adapter.
func ParseScale(text string) (float32, error) {
	x, err := strconv.ParseFloat(text, 32)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, fmt.Errorf("%q is no scale: want a finite number", text)
	}
	return float32(x), nil
}

// RankText returns ranks for people.
func RankText(smallest, largest int) string {
	if smallest == largest {
		return fmt.Sprintf("rank %d", largest)
	}
	return fmt.Sprintf("ranks %d to %d", smallest, largest)
}
