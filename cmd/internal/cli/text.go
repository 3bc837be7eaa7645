package cli

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	utf16 "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// maxInput is how many bytes of text are read. An endless input, such as /dev/zero, ends there.
const maxInput = 256 << 20

// shortInput, if not 0, is what tests have in the place of that.
var shortInput atomic.Int64

func inputLimit() int64 {
	if n := shortInput.Load(); n > 0 {
		return n
	}
	return maxInput
}

// readText reads all of a text. One in UTF-16 with a byte order mark, as Windows programs
// write it, becomes UTF-8.
func readText(r io.Reader, name string) (string, error) {
	b, err := readBounded(r, name)
	if err != nil {
		return "", err
	}
	if bytes.HasPrefix(b, []byte("\xff\xfe\x00\x00")) || bytes.HasPrefix(b, []byte("\x00\x00\xfe\xff")) {
		return "", fmt.Errorf("%s: the text is in UTF-32: convert it to UTF-8", name)
	}
	enc := utf16Of(b)
	if enc == nil && looksUTF16(b) {
		return "", fmt.Errorf("%s: the text looks like UTF-16 without a byte order mark: convert it to UTF-8", name)
	}
	if enc == nil || len(b)%2 != 0 {
		return string(b), nil
	}
	b, err = enc.NewDecoder().Bytes(b)
	if err != nil {
		return "", fmt.Errorf("%s: read UTF-16: %w", name, err)
	}
	return string(b), nil
}

// looksUTF16 reports whether most characters of a text have a zero byte beside them, all on
// the same side. No other text is like that.
func looksUTF16(b []byte) bool {
	b = b[:min(len(b)/2*2, 1024)]
	var zeros [2]int
	for i, c := range b {
		if c == 0 {
			zeros[i%2]++
		}
	}
	return len(b) >= 8 && min(zeros[0], zeros[1]) == 0 && max(zeros[0], zeros[1]) > len(b)/4
}

// utf16Of returns the encoding that a byte order mark tells of, or nil.
func utf16Of(b []byte) encoding.Encoding {
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xfe")):
		return utf16.UTF16(utf16.LittleEndian, utf16.ExpectBOM)
	case bytes.HasPrefix(b, []byte("\xfe\xff")):
		return utf16.UTF16(utf16.BigEndian, utf16.ExpectBOM)
	}
	return nil
}

// readBounded reads all there is, up to inputLimit bytes.
func readBounded(r io.Reader, name string) ([]byte, error) {
	tooLong := fmt.Errorf("%s: more than %s of text: give a part of it", name, byteSize(inputLimit()))
	if f, ok := r.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Size() > inputLimit() {
			return nil, tooLong
		}
	}
	b, err := io.ReadAll(io.LimitReader(r, inputLimit()+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(b)) > inputLimit():
		return nil, tooLong
	}
	return b, nil
}

// readFile is os.ReadFile for a file that may be endless, and for a pipe as long as ctx lasts.
func readFile(ctx context.Context, name string) ([]byte, error) {
	f, err := openPatient(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f, name)
}

// openFile is os.Open for files that must not be pipes, for which it would wait, or devices.
func openFile(name string) (*os.File, error) {
	if err := regular(name); err != nil {
		return nil, err
	}
	return os.Open(name)
}

// regular returns an error if there is something with this name that is no file.
func regular(name string) error {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("not a regular file but %s", kindOf(info.Mode()))}
	}
	return nil
}

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// lineInput returns a reader of the lines of r, which become UTF-8 if they are UTF-16 with a
// byte order mark.
func lineInput(r io.Reader) *bufio.Reader {
	in := bufio.NewReaderSize(r, 1<<16)
	// The second byte is waited for only if the first may begin a mark.
	if b, err := in.Peek(1); err != nil || b[0] < 0xfe {
		return in
	}
	b, _ := in.Peek(2)
	if enc := utf16Of(b); enc != nil {
		return bufio.NewReaderSize(transform.NewReader(in, enc.NewDecoder()), 1<<16)
	}
	return in
}

// readLine returns the next line with its end, if it has one. A line without end, as there is
// none in /dev/zero, is an error.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		b, err := r.ReadSlice('\n')
		line = append(line, b...)
		switch {
		case int64(len(line)) > inputLimit():
			return nil, fmt.Errorf("a line of more than %s", byteSize(inputLimit()))
		case err != bufio.ErrBufferFull:
			return line, err
		}
	}
}

// visible returns a text that may come from a file with its control characters, which a
// terminal would obey, and marks that turn the direction of writing, written as escapes.
func visible(s string) string {
	if !strings.ContainsFunc(s, hidden) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(r)):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !hidden(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// hidden reports whether a character is not to be printed as it is.
func hidden(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
}

// visibleWriter shows texts on a terminal as visible returns them, but for the ends of lines.
// Every write must be whole characters.
type visibleWriter struct{ W io.Writer }

// Write implements io.Writer.
func (v visibleWriter) Write(b []byte) (int, error) {
	if _, err := io.WriteString(v.W, strings.ReplaceAll(visible(string(b)), `\x0d`, "\r")); err != nil {
		return 0, err
	}
	return len(b), nil
}

// oneLineOf returns a name from a file so that it stays in its place in a table.
func oneLineOf(s string) string {
	return strings.NewReplacer("\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(visible(s))
}
