package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
)

// The bounds of a Parquet file. Usual pages have a megabyte and at most a million values.
const (
	maxFooterBytes = 64 << 20
	maxPageHeader  = 1 << 20
	maxPageBytes   = 256 << 20
	maxPageValues  = 64 << 20
)

// checkFooter refuses a file whose end promises more than there is: the library would allocate it.
func checkFooter(file io.ReaderAt, size int64) error {
	var end [8]byte
	if size < 12 {
		return errors.New("it is too short for a Parquet file")
	}
	if _, err := file.ReadAt(end[:], size-8); err != nil {
		return err
	}
	n := int64(binary.LittleEndian.Uint32(end[:]))
	if string(end[4:]) != "PAR1" || n > size-12 {
		return errors.New("its end is not that of a Parquet file: it is damaged, not whole, or encrypted")
	}
	if n > maxFooterBytes {
		return fmt.Errorf("its metadata have %d bytes: at most %d are supported", n, maxFooterBytes)
	}
	c := compact{b: make([]byte, n), visit: func(int, int, int64) {}}
	if _, err := file.ReadAt(c.b, size-8-n); err != nil {
		return err
	}
	if err := c.structure(0, 0); err != nil {
		return fmt.Errorf("its metadata are damaged: %w", err)
	}
	return nil
}

// checkPages reads the headers of all pages, and refuses what they promise beyond bounds before the library
// allocates it.
func checkPages(f *parquet.File, file io.ReaderAt, size int64) error {
	total := int64(0)
	for _, group := range f.Metadata().RowGroups {
		for i := range group.Columns {
			c := &group.Columns[i].MetaData
			begin := c.DataPageOffset
			if d := c.DictionaryPageOffset; d > 0 && d < begin {
				begin = d
			}
			n := c.TotalCompressedSize
			if begin < 0 || n < 0 || begin > size || n > size-begin || n > size-total {
				return fmt.Errorf("column %d of a row group has %d bytes from %d on, and the file has %d", i, n, begin, size)
			}
			total += n
			if err := checkChunk(io.NewSectionReader(file, begin, n)); err != nil {
				return fmt.Errorf("column %d of a row group: %w", i, err)
			}
		}
	}
	return nil
}

// checkChunk reads the headers of the pages of a column in a row group.
func checkChunk(chunk *io.SectionReader) error {
	for at := int64(0); at < chunk.Size(); {
		n, err := checkPage(chunk, at, 1<<10)
		if errors.Is(err, errThrift) && n > 0 {
			n, err = checkPage(chunk, at, maxPageHeader) // it may have long statistics
		}
		if err != nil {
			return fmt.Errorf("the header of a page: %w", err)
		}
		if at += n; at > chunk.Size() {
			return errors.New("a page does not fit into the file")
		}
	}
	return nil
}

// checkPage reads the header of a page, of at most so many bytes, and returns the bytes of both. With errThrift it
// is 1 if the header may be longer.
func checkPage(chunk *io.SectionReader, at, most int64) (int64, error) {
	head := make([]byte, min(most, chunk.Size()-at))
	if _, err := chunk.ReadAt(head, at); err != nil {
		return 0, err
	}
	var plain, packed, values int64
	c := compact{b: head, visit: func(outer, field int, v int64) {
		switch {
		case outer == 0 && field == 2:
			plain = v
		case outer == 0 && field == 3:
			packed = v
		case field == 1 && (outer == 5 || outer == 7 || outer == 8): // of data, dictionary, data of version 2
			values = max(values, v)
		}
	}}
	if err := c.structure(0, 0); err != nil {
		if int64(len(head)) == most && most < maxPageHeader {
			return 1, err
		}
		return 0, err
	}
	switch {
	case packed < 0 || plain < 0:
		return 0, fmt.Errorf("a page of %d bytes", min(packed, plain))
	case plain > maxPageBytes || packed > maxPageBytes || values > maxPageValues:
		return 0, fmt.Errorf("a page of %d bytes and %d values: at most %d and %d are supported",
			max(plain, packed), values, maxPageBytes, maxPageValues)
	}
	return int64(len(head)-len(c.b)) + packed, nil
}
