package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// inUTF16 returns a text in UTF-16 with its mark; high says that the high bytes come first.
func inUTF16(s string, high bool) string {
	var b []byte
	for _, u := range append([]uint16{0xfeff}, utf16.Encode([]rune(s))...) {
		pair := []byte{byte(u), byte(u >> 8)}
		if high {
			slices.Reverse(pair)
		}
		b = append(b, pair...)
	}
	return string(b)
}

func TestReadText(t *testing.T) {
	const text = "Once upon ä 漢 👍\n\nend\r\n"
	for _, c := range []struct{ in, want string }{
		{text, text}, {"", ""}, {"\xef\xbb\xbf" + text, "\xef\xbb\xbf" + text}, {"\xff\xfe\x80", "\xff\xfe\x80"}, {"a\x00b", "a\x00b"}, {"\xff", "\xff"},
		{"O\x00n\x00c\x00", "O\x00n\x00c\x00"}, {"a\x00b\x00c\x00d\x00\x00e", "a\x00b\x00c\x00d\x00\x00e"}, {"one two\x00three four\x00", "one two\x00three four\x00"},
		{inUTF16(text, false), text}, {inUTF16(text, true), text}, {inUTF16("", false), ""},
	} {
		if got, err := readText(strings.NewReader(c.in), "text"); err != nil || got != c.want {
			t.Errorf("%q: %q, %v", c.in, got, err)
		}
	}
	if _, err := readText(strings.NewReader("\xff\xfe\x00\x00a\x00\x00\x00"), "text"); err == nil || !strings.Contains(err.Error(), "text: the text is in UTF-32") {
		t.Errorf("UTF-32: %v", err)
	}
	for _, high := range []bool{false, true} {
		if _, err := readText(strings.NewReader(inUTF16(text, high)[2:]), "text"); err == nil || !strings.Contains(err.Error(), "text: the text looks like UTF-16 without a byte order mark") {
			t.Errorf("UTF-16 without a mark: %v", err)
		}
	}
}

// TestPatient gives up an input to which nothing is written, and reads what there is.
func TestPatient(t *testing.T) {
	got, err := io.ReadAll(patient(t.Context(), func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("text")), nil }))
	if string(got) != "text" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := io.ReadAll(patient(t.Context(), func() (io.ReadCloser, error) { return nil, os.ErrNotExist })); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	go func() {
		w.Write([]byte("first"))
		cancel()
	}()
	if _, err := io.ReadAll(patient(ctx, func() (io.ReadCloser, error) { return r, nil })); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	r.Close()
	wait := make(chan struct{})
	defer close(wait)
	if _, err := unlessDone(ctx, func() (int, error) { <-wait; return 1, nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n, err := unlessDone(t.Context(), func() (int, error) { return 1, os.ErrExist }); n != 1 || err != os.ErrExist {
		t.Errorf("%d, %v", n, err)
	}
}

func TestLineInput(t *testing.T) {
	want := []string{"Once upon ä", "", "漢 👍"}
	for _, in := range []string{strings.Join(want, "\n"), inUTF16(strings.Join(want, "\r\n"), false), inUTF16(strings.Join(want, "\n"), true)} {
		p := newPipe(t.Context(), strings.NewReader(in))
		for _, line := range want {
			if got, err := p.ReadLine(""); got != line || err != nil {
				t.Errorf("%q: %q, %v; want %q", in, got, err, line)
			}
		}
		if _, err := p.ReadLine(""); err != io.EOF {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// zeros is an input without end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// An input without end is refused, not read until the memory is full.
func TestEndlessInput(t *testing.T) {
	shortInput.Store(1 << 20)
	defer shortInput.Store(0)
	if _, err := readText(zeros{}, "name"); err == nil || !strings.Contains(err.Error(), "name: more than 1.0 MiB") {
		t.Errorf("%v", err)
	}
	if _, err := readLine(lineInput(zeros{})); err == nil || !strings.Contains(err.Error(), "1.0 MiB") {
		t.Errorf("a line: %v", err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "large"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(inputLimit() + 1); err != nil {
		t.Fatal(err)
	}
	if _, err := readText(f, "name"); err == nil {
		t.Error("a file that is too large is read")
	}
}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain ä\n\t漢👍": "plain ä\n\t漢👍", "a\x1b[31mb": `a\x1b[31mb`, "\x00\x7f\r": `\x00\x7f\x0d`, "\u009b1m": `\x9b1m`,
		"\u202eevil": `\u202eevil`, "\xff\ufffd": `\xff` + "\ufffd", "": "",
	} {
		if got := visible(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := oneLineOf("a\nb\tc\x1b"); got != `a\nb\tc\x1b` {
		t.Errorf("got %q", got)
	}
	var out bytes.Buffer
	if n, err := (visibleWriter{W: &out}).Write([]byte("a\x1b\r\n")); n != 4 || err != nil || out.String() != "a\\x1b\r\n" {
		t.Errorf("%d, %v, %q", n, err, out.String())
	}
	if got, want := string(escapeJSON([]byte("{\"a\u009b\": \"\x7f\"}\n"))), `{"a\u009b": "\u007f"}`+"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	cmd := &cobra.Command{}
	cmd.SetOut(&out)
	note(&out, "%s: %v", "a\x1b[2J", "mpt: x")
	if !strings.HasSuffix(out.String(), "mpt: a\\x1b[2J: x\n") {
		t.Errorf("%q", out.String())
	}
}

// Every flag that takes a text refuses the empty one, but for those that say what it means.
func TestEmptyFlags(t *testing.T) {
	var walk func(cmd *cobra.Command)
	seen := 0
	walk = func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Value.Type() == "VALUE" {
				return // of the samplers: there an empty list is one
			}
			err := f.Value.Set("")
			if seen++; (err == nil) != mayBeEmpty[f.Name] {
				t.Errorf("%s --%s '': %v", cmd.CommandPath(), f.Name, err)
			}
		})
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	root := Mpt()
	refuseEmpty(root)
	walk(root)
	if seen < 100 {
		t.Errorf("only %d flags were seen", seen)
	}
}
