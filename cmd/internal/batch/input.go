package batch

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"mptgo/internal/newfile"
)

// input is a file of requests that is open.
type input struct {
	f    *os.File
	name string // for errors
	temp bool   // what came from a pipe
	size int64
	sha  string // SHA-256, hexadecimal
}

// openInput opens a file. What comes from a pipe, as - does, is put into a file beside the
// output first: it is read more than once.
func openInput(ctx context.Context, path, out string, stdin io.Reader) (*input, error) {
	in := &input{name: path}
	if path == "-" {
		in.name = "standard input"
		return in, in.spool(ctx, stdin, out)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err == nil && info.IsDir():
		err = fmt.Errorf("%s: a folder: want a file of requests, one a line", path)
	case err == nil && !info.Mode().IsRegular():
		defer f.Close()
		return in, in.spool(ctx, f, out)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	in.f = f
	return in, nil
}

// spool copies what comes to a file without a name, where the system has such.
func (in *input) spool(ctx context.Context, from io.Reader, out string) (err error) {
	if out == "" {
		out = filepath.Join(os.TempDir(), "mpt-batch")
	}
	if in.f, err = os.OpenFile(newfile.Name(out), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return err
	}
	os.Remove(in.f.Name()) // Windows refuses: close does it
	in.temp = true
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(in.f, from)
		copied <- err
	}()
	select {
	case err = <-copied:
	case <-ctx.Done(): // a pipe may never say anything
		err = context.Cause(ctx)
	}
	if err != nil {
		in.close()
	}
	return err
}

func (in *input) close() {
	in.f.Close()
	if in.temp {
		os.Remove(in.f.Name())
	}
}

var errBOM = errors.New("it begins with a byte order mark: save it as UTF-8 without one")

// lines calls visit for every line that is not blank, with its number, its place and its text
// without the end. Of one longer than [mostLine] the text is a byte more than that, and no
// more. It sets size and hash.
func (in *input) lines(ctx context.Context, visit func(n int, at int64, text []byte) error) error {
	sum := sha256.New()
	r := bufio.NewReaderSize(io.TeeReader(io.NewSectionReader(in.f, 0, 1<<62), sum), 1<<18)
	if head, _ := r.Peek(3); bytes.Equal(head, []byte("\xef\xbb\xbf")) {
		return fmt.Errorf("%s: %w", in.name, errBOM)
	}
	var text []byte
	at := int64(0)
	for n := 1; ; n++ {
		var size int64
		var err error
		if text, size, err = readLine(r, text[:0]); err != nil && err != io.EOF {
			return err
		}
		if whole := trim(text); len(whole) > 0 {
			if err := visit(n, at, whole); err != nil {
				return fmt.Errorf("%s: %w", in.name, err)
			}
		}
		at += size
		if err == io.EOF {
			break
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	in.size, in.sha = at, hex.EncodeToString(sum.Sum(nil))
	return nil
}

// readLine appends a line with its end to text, up to a byte more than [mostLine]. It returns
// how long the line is.
func readLine(r *bufio.Reader, text []byte) ([]byte, int64, error) {
	size := int64(0)
	for {
		part, err := r.ReadSlice('\n')
		size += int64(len(part))
		text = append(text, part[:min(len(part), mostLine+1-len(text))]...)
		if err != bufio.ErrBufferFull {
			return text, size, err
		}
	}
}

// trim drops the end of a line, and all of one that is blank.
func trim(text []byte) []byte {
	if len(bytes.Trim(text, " \t\r\n")) == 0 {
		return nil
	}
	text, _ = bytes.CutSuffix(text, []byte("\n"))
	text, _ = bytes.CutSuffix(text, []byte("\r"))
	return text
}

// count returns how many lines there are at most.
func (in *input) count() (n int, err error) {
	b := make([]byte, 1<<18)
	r := io.NewSectionReader(in.f, 0, 1<<62)
	for err == nil {
		var k int
		k, err = r.Read(b)
		n += bytes.Count(b[:k], []byte("\n"))
	}
	if err == io.EOF {
		err = nil
	}
	return n + 1, err
}
