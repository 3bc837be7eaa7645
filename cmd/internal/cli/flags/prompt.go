package flags

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/fileio"
)

// CheckIDs returns an error for the first id that is not in the vocabulary.
func CheckIDs(lists [][]int32, vocab int) error {
	for i, list := range lists {
		for j, id := range list {
			if id < 0 || int(id) >= vocab {
				return fmt.Errorf("list %d, position %d: token id %d: the vocabulary has ids 0 to %d",
					i, j, id, vocab-1)
			}
		}
	}
	return nil
}

// Prompt say where a subcommand gets its text from: -p, -f or standard
// input.
type Prompt struct {
	text, File string
	Escape     bool
	Special    bool
}

// Add adds the flags but --special.
func (p *Prompt) Add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVarP(&p.text, "prompt", "p", "", "the `TEXT` itself")
	fs.StringVarP(&p.File, "file", "f", "", "read the text from `FILE` (default: standard input)")
	fs.BoolVarP(&p.Escape, "escape", "e", false, `replace \n, \r, \t, \", \', \\ and \xHH in the text of -p`)
}

// AddSpecial adds the flag about special tokens.
func (p *Prompt) AddSpecial(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&p.Special, "special", false,
		"control tokens spelled out in the text, such as <|endoftext|>, are those tokens, and are shown in the output")
}

// Read returns the text.
func (p *Prompt) Read(cmd *cobra.Command) (string, error) {
	if err := cmdline.OneOnly(cmd, "prompt", "file"); err != nil {
		return "", err
	}
	switch {
	case cmd.Flags().Changed("prompt"):
		if p.Escape {
			return Unescape(p.text), nil
		}
		return p.text, nil
	case p.File == "" && console.IsTerminal(cmd.InOrStdin()):
		return "", fmt.Errorf("%s: no text: give one with -p TEXT or -f FILE", cmd.Name())
	}
	in, err := OpenInput(cmd, p.File)
	if err != nil {
		return "", err
	}
	defer in.Close()
	name := p.File
	if name == "" || name == "-" {
		name = "standard input"
	}
	text, err := fileio.ReadText(in, name)
	if err != nil {
		return "", fmt.Errorf("%s: read the text: %w", cmd.Name(), err)
	}
	return text, nil
}

// escapes are those that llama.cpp knows, but for \x and two digits.
var escapes = map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', '\'': '\'', '"': '"', '\\': '\\'}

// Unescape replaces the escapes that llama.cpp knows; others stay as they are.
func Unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if c, ok := escapes[s[i+1]]; ok {
				b.WriteByte(c)
				i++
				continue
			}
			if s[i+1] == 'x' && i+4 <= len(s) {
				if c, err := strconv.ParseUint(s[i+2:i+4], 16, 8); err == nil {
					b.WriteByte(byte(c))
					i += 3
					continue
				}
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// OpenInput opens a file, or standard input if the name is empty or "-".
func OpenInput(cmd *cobra.Command, name string) (io.ReadCloser, error) {
	if name == "" || name == "-" {
		in := cmd.InOrStdin()
		return fileio.Patient(cmd.Context(), func() (io.ReadCloser, error) { return io.NopCloser(in), nil }), nil
	}
	f, err := fileio.OpenPatient(cmd.Context(), name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cmd.Name(), err)
	}
	return f, nil
}
