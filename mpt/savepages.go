package mpt

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"slices"

	"mptgo/ggml"
	"mptgo/gguf"
)

// Saved pages are pagesMagic followed by little-endian values:
//
//	head                  pagesHead
//	the tokens            n x i32
//	keys and values       by page of 32 positions, layer and head, as they lie in memory
//	CRC-32C of all that   u32
//
// They are not compressed: the bytes of keys and values are nearly random, and zstd takes no more
// than two or three per cent off them.
//
// The last byte of the magic is the version of the format.
const pagesMagic = "MPTPAGE\x01"

// pagesHead is the fixed part of saved pages.
type pagesHead struct {
	Model        [32]byte // fingerprint of the model and its adapters
	Numerics     uint32   // NumericsVersion
	Keys, Values uint32   // types
	From, Tokens uint32   // how many tokens come before, and how many these are
	Before       [32]byte // SHA-256 of the tokens before
}

// Fingerprint identifies what the session's keys and values depend on beside its tokens: the
// model, see [Model.Fingerprint], its adapters and their scales.
func (s *Session) Fingerprint() ([32]byte, error) { return s.fingerprint() }

// SavePages writes the keys and values of the tokens [from, to), which are to be multiples of
// [ggml.PageSize]. [Session.RestorePages] puts them behind the same tokens of another session.
func (s *Session) SavePages(w io.Writer, from, to int) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if from < 0 || from >= to || to > len(s.tokens) || from%ggml.PageSize != 0 || to%ggml.PageSize != 0 {
		return fmt.Errorf("mpt: SavePages: tokens %d to %d of %d: want whole pages of %d",
			from, to, len(s.tokens), ggml.PageSize)
	}
	head, err := s.pagesHead(from, to-from)
	if err != nil {
		return err
	}
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	all := io.MultiWriter(w, sum)
	for _, v := range []any{[]byte(pagesMagic), &head, s.tokens[from:to]} {
		if err := binary.Write(all, binary.LittleEndian, v); err != nil {
			return fmt.Errorf("mpt: SavePages: %w", err)
		}
	}
	for i := from / ggml.PageSize; i < to/ggml.PageSize; i++ {
		err := s.cache.eachPart(i, ggml.PageSize, func(_ *ggml.KV, keys, values []byte) error {
			_, err := all.Write(keys)
			if err == nil {
				_, err = all.Write(values)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("mpt: SavePages: %w", err)
		}
	}
	if err := binary.Write(w, binary.LittleEndian, sum.Sum32()); err != nil {
		return fmt.Errorf("mpt: SavePages: %w", err)
	}
	return nil
}

func (s *Session) pagesHead(from, n int) (pagesHead, error) {
	print, err := s.fingerprint()
	return pagesHead{
		Model: print, Numerics: NumericsVersion, Keys: uint32(s.m.opt.keys), Values: uint32(s.m.opt.values),
		From: uint32(from), Tokens: uint32(n), Before: hashTokens(s.tokens[:from]),
	}, err
}

// hashTokens returns the SHA-256 of tokens.
func hashTokens(ids []int32) [32]byte {
	h := sha256.New()
	binary.Write(h, binary.LittleEndian, ids)
	return [32]byte(h.Sum(nil))
}

// RestorePages appends saved pages of exactly these tokens to a session that holds the tokens
// that came before them when they were saved. Errors that wrap [ErrSession] are the fault of
// the file; if it fails the session is as before.
func (s *Session) RestorePages(r io.Reader, tokens []int32) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	s.forgetAhead()
	had := len(s.cache.pages)
	if err := s.readPages(r, tokens); err != nil {
		s.cache.truncate(had * ggml.PageSize)
		if full := (*MemoryError)(nil); errors.As(err, &full) {
			return err // not the file's fault
		}
		return fmt.Errorf("mpt: RestorePages: %w: %w", ErrSession, err)
	}
	s.tokens = append(s.tokens, tokens...)
	s.valid = false
	return nil
}

// readPages reads pages of these tokens into the cache behind its own.
func (s *Session) readPages(file io.Reader, want []int32) error {
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	r := io.TeeReader(file, sum)
	magic := make([]byte, len(pagesMagic))
	if _, err := io.ReadFull(r, magic); err != nil {
		return err
	}
	if string(magic) != pagesMagic {
		return errors.New("it does not begin like saved pages, or like those of another version")
	}
	var head pagesHead
	if err := readAll(r, &head); err != nil {
		return err
	}
	if err := s.fitPages(head, len(want)); err != nil {
		return err
	}
	tokens := make([]int32, len(want))
	if err := readAll(r, tokens); err != nil {
		return err
	}
	if !slices.Equal(tokens, want) {
		return errors.New("they are of other tokens")
	}
	had := len(s.tokens) / ggml.PageSize
	for i := range len(want) / ggml.PageSize {
		if err := s.cache.loadPage(r, had+i, ggml.PageSize); err != nil {
			return s.short(err, len(s.tokens)+len(want))
		}
	}
	return checkSum(file, sum)
}

// fitPages says why pages are not those of n tokens behind the session's.
func (s *Session) fitPages(head pagesHead, n int) error {
	want, err := s.pagesHead(len(s.tokens), n)
	switch {
	case err != nil:
		return err
	case head.Model != want.Model:
		return errors.New("they were saved with a different model, adapters or Exact setting")
	case head.Numerics != want.Numerics:
		return errors.New("they were saved by a version of this program that computes other bits")
	case head.Keys != want.Keys || head.Values != want.Values:
		return fmt.Errorf("they are of the types %v and %v, this session's of %v and %v",
			gguf.Type(head.Keys), gguf.Type(head.Values), s.m.opt.keys, s.m.opt.values)
	case head.From != want.From || head.Before != want.Before || len(s.tokens)%ggml.PageSize != 0:
		return errors.New("they belong behind other tokens")
	case head.Tokens != want.Tokens || n == 0 || n%ggml.PageSize != 0:
		return fmt.Errorf("they are of %d tokens, wanted are %d, which have to be whole pages", head.Tokens, n)
	case len(s.tokens)+n > s.context:
		return fmt.Errorf("%d tokens do not fit into a context of %d: %w", len(s.tokens)+n, s.context, ErrContextFull)
	}
	return nil
}

// checkSum compares what was read with the sum that follows, behind which nothing comes.
func checkSum(r io.Reader, sum hash.Hash32) error {
	var want uint32
	if err := readAll(r, &want); err != nil {
		return err
	}
	if sum.Sum32() != want {
		return errors.New("its checksum is wrong: the file is damaged")
	}
	return atEnd(r)
}
