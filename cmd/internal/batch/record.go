package batch

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// magic is what a journal begins with. Records follow: their length and their CRC-32C, four
// bytes each with the lowest first, then a kind and what it has to tell.
const magic = "mpt batch journal 1\n"

// The kinds of records.
const (
	isHeader  = 'h' // JSON
	isStart   = 's' // a line is about to be answered
	isDropped = 'd' // a start that was taken back
	isResult  = 'r' // a line, the SHA-256 of its text, whether it failed, its result
	isEnd     = 'e' // all is there
)

const (
	frameSize  = 8
	resultHead = 1 + 4 + sha256.Size + 1
)

// frame returns a record.
func frame(payload []byte) []byte {
	b := make([]byte, frameSize, frameSize+len(payload))
	binary.LittleEndian.PutUint32(b, uint32(len(payload)))
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(payload, castagnoli))
	return append(b, payload...)
}

// mark is a record about a line and nothing else.
func mark(kind byte, line int32) []byte {
	return binary.LittleEndian.AppendUint32([]byte{kind}, uint32(line))
}

// resultRecord is the record of a result.
func resultRecord(line int32, text []byte, r Result) []byte {
	sum := sha256.Sum256(text)
	b := append(mark(isResult, line), sum[:]...)
	failed := byte(0)
	if r.Failed {
		failed = 1
	}
	return append(append(b, failed), r.Text...)
}

// record is one that was read.
type record struct {
	kind   byte
	at     int64 // where it begins in the file
	line   int32
	sum    [sha256.Size]byte // of the line's text
	failed bool
	text   []byte // a result, or a header; it is gone with the next record
}

// errNoJournal says that a file is none.
var errNoJournal = errors.New("it is not a journal of mpt batch: remove it, or name another output")

// readRecords calls visit for the records of a journal of so many bytes. It returns where the
// last whole one ends: what follows was cut off when it was written, or is damaged.
func readRecords(f io.ReaderAt, size int64, visit func(*record) error) (end int64, err error) {
	r := bufio.NewReaderSize(io.NewSectionReader(f, 0, size), 1<<18)
	head := make([]byte, min(size, int64(len(magic))))
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, err
	}
	if string(head) != magic[:len(head)] {
		return 0, errNoJournal
	}
	if len(head) < len(magic) {
		return 0, nil
	}
	var b []byte
	for end = int64(len(magic)); size-end >= frameSize; end += frameSize + int64(len(b)) {
		var h [frameSize]byte
		if _, err := io.ReadFull(r, h[:]); err != nil {
			return end, err
		}
		n := int64(binary.LittleEndian.Uint32(h[:]))
		if n == 0 || n > size-end-frameSize || n > math.MaxInt32 {
			return end, nil
		}
		if b, err = grow(r, b, int(n)); err != nil {
			return end, err
		}
		rec, ok := decode(b)
		if !ok || crc32.Checksum(b, castagnoli) != binary.LittleEndian.Uint32(h[4:]) {
			return end, nil
		}
		rec.at = end
		if err := visit(&rec); err != nil {
			return end, err
		}
	}
	return end, nil
}

// grow reads n bytes into b, which it makes larger if need be.
func grow(r io.Reader, b []byte, n int) ([]byte, error) {
	if cap(b) < n {
		b = make([]byte, n) // the file has as many
	}
	_, err := io.ReadFull(r, b[:n])
	return b[:n], err
}

// decode reads what a record tells.
func decode(b []byte) (r record, ok bool) {
	r.kind = b[0]
	switch {
	case r.kind == isHeader:
		r.text = b[1:]
		return r, true
	case r.kind == isEnd:
		return r, len(b) == 1
	case len(b) < 5:
		return r, false
	}
	r.line = int32(binary.LittleEndian.Uint32(b[1:]))
	switch {
	case r.line < 1:
		return r, false
	case r.kind == isStart || r.kind == isDropped:
		return r, len(b) == 5
	case r.kind != isResult || len(b) < resultHead || b[resultHead-1] > 1:
		return r, false
	}
	copy(r.sum[:], b[5:])
	r.failed, r.text = b[resultHead-1] == 1, b[resultHead:]
	return r, true
}

// resultAt reads a result again.
func resultAt(f io.ReaderAt, at int64) ([]byte, error) {
	var h [frameSize]byte
	if _, err := f.ReadAt(h[:], at); err != nil {
		return nil, err
	}
	b := make([]byte, binary.LittleEndian.Uint32(h[:])) // it was read before
	if _, err := f.ReadAt(b, at+frameSize); err != nil {
		return nil, err
	}
	r, ok := decode(b)
	if !ok || r.kind != isResult || crc32.Checksum(b, castagnoli) != binary.LittleEndian.Uint32(h[4:]) {
		return nil, errors.New("the journal was damaged after it was read")
	}
	return r.text, nil
}

func readHeader(r *record) (*Header, error) {
	h := &Header{}
	if err := json.Unmarshal(r.text, h); err != nil {
		return nil, fmt.Errorf("its header cannot be read: %w", err)
	}
	return h, nil
}
