package fileio

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"golang.org/x/text/encoding"
	utf16 "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"mptgo/cmd/internal/cli/console"
)

// maxInput is how many bytes of text are read. An endless input, such as /dev/zero, ends there.
const maxInput = 256 << 20

// shortInput, if not 0, is what tests have in the place of that.
var shortInput atomic.Int64

// Limit is how many bytes of an input are read at most.
func Limit() int64 {
	if n := shortInput.Load(); n > 0 {
		return n
	}
	return maxInput
}

// ReadText reads all of a text. One in UTF-16 with a byte order mark, as Windows programs
// write it, becomes UTF-8.
func ReadText(r io.Reader, name string) (string, error) {
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
	tooLong := fmt.Errorf("%s: more than %s of text: give a part of it", name, console.ByteSize(Limit()))
	if f, ok := r.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Size() > Limit() {
			return nil, tooLong
		}
	}
	b, err := io.ReadAll(io.LimitReader(r, Limit()+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(b)) > Limit():
		return nil, tooLong
	}
	return b, nil
}

// ReadFile is os.ReadFile for a file that may be endless, and for a pipe as long as ctx lasts.
func ReadFile(ctx context.Context, name string) ([]byte, error) {
	f, err := OpenPatient(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f, name)
}

// LineInput returns a reader of the lines of r, which become UTF-8 if they are UTF-16 with a
// byte order mark.
func LineInput(r io.Reader) *bufio.Reader {
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

// ReadLine returns the next line with its end, if it has one. A line without end, as there is
// none in /dev/zero, is an error.
func ReadLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		b, err := r.ReadSlice('\n')
		line = append(line, b...)
		switch {
		case int64(len(line)) > Limit():
			return nil, fmt.Errorf("a line of more than %s", console.ByteSize(Limit()))
		case err != bufio.ErrBufferFull:
			return line, err
		}
	}
}
