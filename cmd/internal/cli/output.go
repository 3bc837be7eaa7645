package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"mptgo/internal/newfile"
)

// formatFlag is -o: in which form results are printed.
type formatFlag struct{ name string }

// add adds -o with "json" as the alternative to the form called plain, the
// default.
func (f *formatFlag) add(cmd *cobra.Command, plain string) {
	f.name = plain
	addChoice(cmd, &f.name, "output", "o", "print `FORMAT`", plain, "json")
}

func (f *formatFlag) json() bool { return f.name == "json" }

// addChoice adds a flag that takes one of a few words; *value is the default.
func addChoice(cmd *cobra.Command, value *string, name, short, usage string, words ...string) {
	cmd.Flags().VarP(&oneOf{value, words}, name, short, usage+": "+strings.Join(words, " or "))
	cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// oneOf is the value of such a flag.
type oneOf struct {
	value *string
	words []string
}

func (o *oneOf) String() string { return *o.value }
func (o *oneOf) Type() string   { return "string" }

func (o *oneOf) Set(s string) error {
	for _, w := range o.words {
		if s == w {
			*o.value = s
			return nil
		}
	}
	return fmt.Errorf("want %s", strings.Join(o.words, " or "))
}

// printJSON prints v on standard output, indented.
func printJSON(cmd *cobra.Command, v any) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	// The package escapes only some of what a terminal obeys. It is in strings alone.
	_, err := cmd.OutOrStdout().Write(escapeJSON(text.Bytes()))
	return err
}

// escapeJSON writes the control characters that are left in a JSON text as escapes.
func escapeJSON(b []byte) []byte {
	if !bytes.ContainsFunc(b, hidden) {
		return b
	}
	var out []byte
	for _, r := range string(b) {
		if hidden(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}

// writeFile calls write with an unfinished file beside path, or beside where its links lead, and
// gives the file its name if that went well; otherwise nothing is left of it. What is not a
// file, such as a device or a folder, is not replaced by one.
func writeFile(path string, write func(io.Writer) error) error {
	if err := noStdout(path); err != nil {
		return err
	}
	target, err := newfile.Follow(path)
	if err != nil {
		return err
	}
	if info, err := os.Stat(target); err == nil && !info.Mode().IsRegular() {
		return errors.New("exists and is not a regular file")
	}
	f, err := newfile.Create(path, target)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = newfile.Rename(f.Name(), target)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}

// writable returns an error if writeFile cannot make path, or replace it: before the work.
func writable(path string) error {
	if err := noStdout(path); err != nil {
		return err
	}
	return newfile.Writable(path)
}
