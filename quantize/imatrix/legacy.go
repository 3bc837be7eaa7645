package imatrix

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
)

// defaultChunk is the size of chunks where a file does not tell: what llama.cpp
// cuts texts into unless it is asked otherwise.
const defaultChunk = 512

// cursor reads a file of the older kind from front to back and keeps the first
// error.
type cursor struct {
	b   []byte
	at  int
	err error
}

func (c *cursor) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("imatrix: at byte %d: %s: %w", c.at, fmt.Sprintf(format, args...), ErrFormat)
	}
}

// take returns the next n bytes; what they are is for the error.
func (c *cursor) take(n int, what string) []byte {
	if c.err == nil && (n < 0 || n > len(c.b)-c.at) {
		c.fail("%s of %d bytes where %d are left", what, n, len(c.b)-c.at)
	}
	if c.err != nil {
		return nil
	}
	c.at += n
	return c.b[c.at-n : c.at]
}

func (c *cursor) int(what string) int {
	b := c.take(4, what)
	if b == nil {
		return 0
	}
	return int(int32(binary.LittleEndian.Uint32(b)))
}

func (c *cursor) string(what string) string {
	return string(c.take(c.int("the length of "+what), what))
}

// parseLegacy reads a file of the older kind.
func parseLegacy(b []byte) (*Matrix, error) {
	c := &cursor{b: b}
	m := New(defaultChunk)
	m.assumed = true
	n := c.int("the number of entries")
	if c.err == nil && n < 1 {
		c.fail("%d entries", n)
	}
	for i := 0; i < n && c.err == nil; i++ {
		c.entry(m)
	}
	if c.err == nil && c.at < len(b) {
		m.Chunks = max(c.int("the number of chunks"), 0)
		m.AddDataset(c.string("the name of the text"))
	}
	if c.err == nil && strings.HasPrefix(string(b[c.at:]), trailer) {
		c.trailer(m)
	}
	if c.err == nil && c.at < len(b) {
		c.fail("%d bytes are left at the end", len(b)-c.at)
	}
	if c.err != nil {
		return nil, c.err
	}
	return m, nil
}

// entry reads one entry. A file without calls holds the mean squares themselves.
func (c *cursor) entry(m *Matrix) {
	name := c.string("a name")
	calls, n := c.int("a number of calls"), c.int("a number of values")
	if c.err == nil && (name == "" || n < 1 || n > math.MaxInt32/4 || calls < 0) {
		c.fail("entry %q of %d values and %d calls", name, n, calls)
	}
	b := c.take(4*n, "the values of "+name)
	if c.err != nil {
		return
	}
	if m.Entries[name] != nil {
		c.fail("a second entry %q", name)
		return
	}
	// A call is taken for a chunk. The mean square, exact in float64, is what counts.
	e := &Entry{Sum2: make([]float64, n), Rows: int64(max(calls, 1)) * defaultChunk}
	for i := range e.Sum2 {
		e.Sum2[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))) * defaultChunk
	}
	if err := e.check(name); err != nil {
		c.err = err
	}
	m.Entries[name] = e
}

// trailer begins what this project writes behind a file of the older kind, where other
// readers do not look: the size of the chunks as int32, and 32 bytes of origin.
const trailer = "MPT\x01"

func (c *cursor) trailer(m *Matrix) {
	c.take(len(trailer), "what is known of the chunks")
	size := c.int("the size of chunks")
	origin := c.take(sha256.Size, "the origin")
	if c.err == nil && size < 1 {
		c.fail("chunks of %d tokens", size)
	}
	if c.err != nil {
		return
	}
	m.AssumeChunkSize(size)
	m.assumed, m.Origin = false, hex.EncodeToString(origin)
}

// encodeLegacy returns m as a file of the older kind, which has no place for correlations.
func (m *Matrix) encodeLegacy() []byte {
	le := binary.LittleEndian
	text := func(b []byte, s string) []byte {
		return append(le.AppendUint32(b, uint32(len(s))), s...)
	}
	b := le.AppendUint32(nil, uint32(len(m.Entries)))
	for _, name := range m.Names() {
		e := m.Entries[name]
		calls := max(e.Rows/int64(max(m.ChunkSize, 1)), 1)
		b = text(b, name)
		b = le.AppendUint32(b, uint32(calls))
		b = le.AppendUint32(b, uint32(len(e.Sum2)))
		for _, v := range e.Sum2 {
			mean := v / float64(max(e.Rows, 1))
			b = le.AppendUint32(b, math.Float32bits(float32(mean*float64(calls))))
		}
	}
	dataset := ""
	if len(m.Datasets) > 0 {
		dataset = m.Datasets[len(m.Datasets)-1]
	}
	b = text(le.AppendUint32(b, uint32(m.Chunks)), dataset)
	if origin, err := hex.DecodeString(m.Origin); err == nil && len(origin) == sha256.Size {
		b = append(le.AppendUint32(append(b, trailer...), uint32(m.ChunkSize)), origin...)
	}
	return b
}
