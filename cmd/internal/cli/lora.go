package cli

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mptgo/mpt"
)

// loraFlag is the flag --lora: adapters with their scales.
type loraFlag struct {
	given []string
	cmd   *cobra.Command // where notes go
}

func (f *loraFlag) add(cmd *cobra.Command) {
	f.cmd = cmd
	cmd.Flags().StringArrayVar(&f.given, "lora", nil, "use the LoRA adapter `FILE[:SCALE]`, a GGUF file or a folder of PEFT; may be given more than once")
}

// options returns the adapters as options of the engine.
func (f *loraFlag) options() (opts []mpt.Option, err error) {
	for _, text := range f.given {
		path, scale, err := parseAdapter(text)
		if err != nil {
			return nil, fmt.Errorf("--lora %s: %w", text, err)
		}
		opts = append(opts, mpt.LoRA(path, scale))
	}
	return opts, nil
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
