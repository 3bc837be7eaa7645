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
	return read(name, file, info.Size())
}

// OpenReaderAt reads the first size bytes of r, a whole file, into memory. The name is for
// errors. It is [OpenFS] for what is in no file system.
func OpenReaderAt(name string, r io.ReaderAt, size int64) (*File, error) {
	return read(name, io.NewSectionReader(r, 0, size), size)
}

// read reads size bytes and parses them.
func read(name string, r io.Reader, size int64) (*File, error) {
	if size < 0 || size > math.MaxInt {
		return nil, fmt.Errorf("gguf: %s: a file of %d bytes", name, size)
	}
	b := make([]byte, size)
	switch _, err := io.ReadFull(r, b); {
	case errors.Is(err, io.ErrUnexpectedEOF), err == io.EOF:
		return nil, &formatError{name, nowhere, fmt.Sprintf("ends before its %d bytes", size)}
	case err != nil:
		return nil, fmt.Errorf("gguf: %s: %w", name, err)
	}
	return Parse(name, b)
}
