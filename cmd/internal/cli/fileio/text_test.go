package fileio

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
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
		if got, err := ReadText(strings.NewReader(c.in), "text"); err != nil || got != c.want {
			t.Errorf("%q: %q, %v", c.in, got, err)
		}
	}
	if _, err := ReadText(strings.NewReader("\xff\xfe\x00\x00a\x00\x00\x00"), "text"); err == nil || !strings.Contains(err.Error(), "text: the text is in UTF-32") {
		t.Errorf("UTF-32: %v", err)
	}
	for _, high := range []bool{false, true} {
		if _, err := ReadText(strings.NewReader(inUTF16(text, high)[2:]), "text"); err == nil || !strings.Contains(err.Error(), "text: the text looks like UTF-16 without a byte order mark") {
			t.Errorf("UTF-16 without a mark: %v", err)
		}
	}
}

// TestPatient gives up an input to which nothing is written, and reads what there is.
func TestPatient(t *testing.T) {
	got, err := io.ReadAll(Patient(t.Context(), func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("text")), nil }))
	if string(got) != "text" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := io.ReadAll(Patient(t.Context(), func() (io.ReadCloser, error) { return nil, os.ErrNotExist })); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	go func() {
		w.Write([]byte("first"))
		cancel()
	}()
	if _, err := io.ReadAll(Patient(ctx, func() (io.ReadCloser, error) { return r, nil })); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	r.Close()
	wait := make(chan struct{})
	defer close(wait)
	if _, err := UnlessDone(ctx, func() (int, error) { <-wait; return 1, nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n, err := UnlessDone(t.Context(), func() (int, error) { return 1, os.ErrExist }); n != 1 || err != os.ErrExist {
		t.Errorf("%d, %v", n, err)
	}
}

func TestLineInput(t *testing.T) {
	want := []string{"Once upon ä", "", "漢 👍"}
	for _, in := range []string{strings.Join(want, "\n"), inUTF16(strings.Join(want, "\r\n"), false), inUTF16(strings.Join(want, "\n"), true)} {
		r := LineInput(strings.NewReader(in))
		for i, line := range want {
			got, err := ReadLine(r)
			if end := i == len(want)-1; strings.TrimRight(string(got), "\r\n") != line || (err == io.EOF) != end || err != nil && !end {
				t.Errorf("%q: %q, %v; want %q", in, got, err, line)
			}
		}
		if got, err := ReadLine(r); len(got) > 0 || err != io.EOF {
			t.Errorf("%q: %q, %v after the end", in, got, err)
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
	if _, err := ReadText(zeros{}, "name"); err == nil || !strings.Contains(err.Error(), "name: more than 1.0 MiB") {
		t.Errorf("%v", err)
	}
	if _, err := ReadLine(LineInput(zeros{})); err == nil || !strings.Contains(err.Error(), "1.0 MiB") {
		t.Errorf("a line: %v", err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "large"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(Limit() + 1); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadText(f, "name"); err == nil {
		t.Error("a file that is too large is read")
	}
}
