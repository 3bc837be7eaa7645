package gguf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
)

// OpenFS reads the file called name in fsys, an embed.FS for instance, into memory. [Open] maps
// a file of the system instead, which is faster and takes less. A model that is split into
// several files cannot be read this way.
func OpenFS(fsys fs.FS, name string) (*File, error) {
	file, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("gguf: %s: not a regular file", name)
	}
	at, _ := file.(io.ReaderAt)
	return read(name, file, at, info.Size())
}

// OpenReaderAt reads the first size bytes of r, a whole file, into memory. The name is for
// errors. It is [OpenFS] for what is in no file system.
func OpenReaderAt(name string, r io.ReaderAt, size int64) (*File, error) {
	return read(name, io.NewSectionReader(r, 0, size), r, size)
}

// read reads size bytes and parses them.
func read(name string, r io.Reader, at io.ReaderAt, size int64) (*File, error) {
	if size < 0 || size > math.MaxInt {
		return nil, fmt.Errorf("gguf: %s: a file of %d bytes", name, size)
	}
	switch b, err := readAll(r, at, size); {
	case errors.Is(err, io.ErrUnexpectedEOF), err == io.EOF:
		return nil, &formatError{name, nowhere, fmt.Sprintf("ends before its %d bytes", size)}
	case err != nil:
		return nil, fmt.Errorf("gguf: %s: %w", name, err)
	default:
		return Parse(name, b)
	}
}

// firstRead is how much is read of a file of which it is not known that it is as large as it claims.
const firstRead = 16 << 20

// readAll reads size bytes of r. An archive may claim any size, so memory for all of them is
// taken at once only if at, which may be nil, has the last one; else it grows as they come.
func readAll(r io.Reader, at io.ReaderAt, size int64) ([]byte, error) {
	room := min(size, firstRead)
	if at != nil && size > 0 {
		if n, _ := at.ReadAt(make([]byte, 1), size-1); n == 1 {
			room = size
		}
	}
	b := make([]byte, 0, room)
	for int64(len(b)) < size {
		if len(b) == cap(b) {
			b = append(make([]byte, 0, min(size, 2*int64(len(b)))), b...)
		}
		n, err := io.ReadFull(r, b[len(b):cap(b)])
		if b = b[:len(b)+n]; err != nil {
			return nil, err
		}
	}
	return b, nil
}
