package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// promptFlags say where a subcommand gets its text from: -p, -f or standard
// input.
type promptFlags struct {
	text, file string
	escape     bool
	special    bool
}

func (p *promptFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVarP(&p.text, "prompt", "p", "", "the `TEXT` itself")
	fs.StringVarP(&p.file, "file", "f", "", "read the text from `FILE` (default: standard input)")
	fs.BoolVarP(&p.escape, "escape", "e", false, `replace \n, \r, \t, \", \', \\ and \xHH in the text of -p`)
}

// addSpecial adds the flag about special tokens.
func (p *promptFlags) addSpecial(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&p.special, "special", false, "control tokens spelled out in the text, such as <|endoftext|>, are those tokens, and are shown in the output")
}

// read returns the text.
func (p *promptFlags) read(cmd *cobra.Command) (string, error) {
	if err := oneOnly(cmd, "prompt", "file"); err != nil {
		return "", err
	}
	switch {
	case cmd.Flags().Changed("prompt"):
		if p.escape {
			return unescape(p.text), nil
		}
		return p.text, nil
	case p.file == "" && isTerminal(cmd.InOrStdin()):
		return "", fmt.Errorf("%s: no text: give one with -p TEXT or -f FILE", cmd.Name())
	}
	in, err := openInput(cmd, p.file)
	if err != nil {
		return "", err
	}
	defer in.Close()
	name := p.file
	if name == "" || name == "-" {
		name = "standard input"
	}
	text, err := readText(in, name)
	if err != nil {
		return "", fmt.Errorf("%s: read the text: %w", cmd.Name(), err)
	}
	return text, nil
}

// escapes are those that llama.cpp knows, but for \x and two digits.
var escapes = map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', '\'': '\'', '"': '"', '\\': '\\'}

// unescape replaces the escapes that llama.cpp knows; others stay as they are.
func unescape(s string) string {
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

// openInput opens a file, or standard input if the name is empty or "-".
func openInput(cmd *cobra.Command, name string) (io.ReadCloser, error) {
	if name == "" || name == "-" {
		in := cmd.InOrStdin()
		return patient(cmd.Context(), func() (io.ReadCloser, error) { return io.NopCloser(in), nil }), nil
	}
	f, err := openPatient(cmd.Context(), name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cmd.Name(), err)
	}
	return f, nil
}
