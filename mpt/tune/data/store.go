package data

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"os"
)

// store keeps rows in a temporary file: 4 bytes a token, complements for those that are no targets.
type store struct {
	file    *os.File
	gone    bool // the file has no name any more, as Unix allows
	out     *bufio.Writer
	sum     hash.Hash
	ends    []int64 // where each row ends, in tokens
	targets []int32
	bytes   []byte
}

func newStore(dir string) (*store, error) {
	f, err := os.CreateTemp(dir, "mpt-tokens-*.tmp")
	if err != nil {
		return nil, fmt.Errorf("a temporary file for tokens: %w", err)
	}
	s := &store{file: f, out: bufio.NewWriterSize(f, 1<<20), sum: sha256.New()}
	s.gone = os.Remove(f.Name()) == nil // nothing is left, however the program ends
	return s, nil
}

func (s *store) len() int { return len(s.ends) }

// span returns where row i begins and ends, in tokens.
func (s *store) span(i int) (begin, end int64) {
	if i > 0 {
		begin = s.ends[i-1]
	}
	return begin, s.ends[i]
}

// add appends a row. The sum is that of the numbers of tokens, and of the tokens.
func (s *store) add(row []int32, targets int) error {
	s.bytes = binary.LittleEndian.AppendUint32(s.bytes[:0], uint32(len(row)))
	for _, id := range row {
		s.bytes = binary.LittleEndian.AppendUint32(s.bytes, uint32(id))
	}
	s.sum.Write(s.bytes)
	if _, err := s.out.Write(s.bytes[4:]); err != nil {
		return s.full(err)
	}
	_, end := s.last()
	s.ends, s.targets = append(s.ends, end+int64(len(row))), append(s.targets, int32(targets))
	return nil
}

// last returns where the last row begins and ends.
func (s *store) last() (begin, end int64) {
	if len(s.ends) == 0 {
		return 0, 0
	}
	return s.span(len(s.ends) - 1)
}

func (s *store) full(err error) error {
	return fmt.Errorf("the tokens do not fit into the temporary file %s (TMPDIR names another folder): %w", s.file.Name(), err)
}

func (s *store) finish() error {
	if err := s.out.Flush(); err != nil {
		return s.full(err)
	}
	s.out, s.bytes = nil, nil
	return nil
}

func (s *store) digest() string { return hex.EncodeToString(s.sum.Sum(nil)) }

// row reads row i.
func (s *store) row(i int) (Row, error) {
	begin, end := s.span(i)
	b := make([]byte, 4*(end-begin))
	if _, err := s.file.ReadAt(b, 4*begin); err != nil {
		return Row{}, fmt.Errorf("row %d of the tokens: %w", i, err)
	}
	r := Row{Tokens: make([]int32, end-begin), Labels: make([]int32, end-begin)}
	for j := range r.Tokens {
		id := int32(binary.LittleEndian.Uint32(b[4*j:]))
		r.Tokens[j], r.Labels[j] = id, id
		if id < 0 {
			r.Tokens[j], r.Labels[j] = ^id, noTarget
		}
	}
	return r, nil
}

func (s *store) close() error {
	err := s.file.Close()
	if !s.gone {
		err = errors.Join(err, os.Remove(s.file.Name()))
	}
	return err
}
