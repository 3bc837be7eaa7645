package mpt

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"mptgo/ggml"
	"mptgo/gguf"
)

// A saved session is sessionMagic followed by a zstd stream (with its checksum)
// of little-endian values:
//
//	fingerprint of the model and its adapters   32 bytes
//	types of keys, of values   u32, u32
//	tokens n                   u32
//	the tokens                 n x i32
//	1 and the logits, or 0     u8, V x f32
//	keys and values            by page of 32 positions, layer and head, as they lie in
//	                           memory; keys beyond the last position are zeros
//
// The last byte of the magic is the version of the format.
const sessionMagic = "MPTSESS\x03"

// maxWindow bounds the memory that a zstd stream may ask for: twice the window that
// Save uses.
const maxWindow = 8 << 20

// sessionHead is the fixed part of a saved session.
type sessionHead struct {
	Model        [32]byte
	Keys, Values uint32 // types
	Tokens       uint32
}

// Save writes the session, compressed: its tokens, keys, values and logits. How tokens are chosen
// is not in it: a [sampling.Chain] that has drawn tokens, or a [Constraint], goes on only in this
// process.
func (s *Session) Save(w io.Writer) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if _, err := io.WriteString(w, sessionMagic); err != nil {
		return fmt.Errorf("mpt: Save: %w", err)
	}
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return fmt.Errorf("mpt: Save: %w", err)
	}
	if err := errors.Join(s.write(z), z.Close()); err != nil {
		return fmt.Errorf("mpt: Save: %w", err)
	}
	return nil
}

func (s *Session) write(w io.Writer) error {
	print, err := s.fingerprint()
	if err != nil {
		return err
	}
	head := sessionHead{print, uint32(s.m.opt.keys), uint32(s.m.opt.values), uint32(len(s.tokens))}
	logits := []float32{}
	if s.valid {
		logits = s.logits
	}
	for _, v := range []any{&head, s.tokens, s.valid, logits} {
		if err := binary.Write(w, binary.LittleEndian, v); err != nil {
			return err
		}
	}
	return s.cache.each(len(s.tokens), func(b []byte) error {
		_, err := w.Write(b)
		return err
	})
}

// Restore replaces the session's content by a saved one of the same model, adapters, cache types
// and [Exact] setting; threads and batch size may differ. The context has to be long enough. Errors
// that wrap [ErrSession] are the fault of the file; if it fails the session is as before.
func (s *Session) Restore(r io.Reader) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := checkMagic(r); err != nil {
		return fmt.Errorf("mpt: Restore: %w: %w", ErrSession, err)
	}
	z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return fmt.Errorf("mpt: Restore: %w", err)
	}
	defer z.Close()
	if err := s.read(z); err != nil {
		if full := (*MemoryError)(nil); errors.As(err, &full) {
			return err // not the file's fault
		}
		return fmt.Errorf("mpt: Restore: %w: %w", ErrSession, err)
	}
	return nil
}

// checkMagic reads the first bytes of a saved session.
func checkMagic(r io.Reader) error {
	const version = len(sessionMagic) - 1
	magic := make([]byte, len(sessionMagic))
	_, err := io.ReadFull(r, magic)
	switch {
	case err != nil && err != io.EOF && err != io.ErrUnexpectedEOF:
		return err
	case err != nil || string(magic[:version]) != sessionMagic[:version]:
		return errors.New("it does not begin like one")
	case magic[version] != sessionMagic[version]:
		return fmt.Errorf("it is of version %d of the format, this program's is %d: evaluate its text again", magic[version], sessionMagic[version])
	}
	return nil
}

func (s *Session) read(r io.Reader) error {
	var head sessionHead
	if err := binary.Read(r, binary.LittleEndian, &head); err != nil {
		return err
	}
	print, err := s.fingerprint()
	switch {
	case err != nil:
		return err
	case head.Model != print:
		return errors.New("it was saved with a different model, adapters or Exact setting")
	case head.Keys != uint32(s.m.opt.keys) || head.Values != uint32(s.m.opt.values):
		return fmt.Errorf("its keys and values are of the types %v and %v, this session's of %v and %v",
			gguf.Type(head.Keys), gguf.Type(head.Values), s.m.opt.keys, s.m.opt.values)
	case int64(head.Tokens) > int64(s.context):
		return fmt.Errorf("its %d tokens do not fit into a context of %d: %w", head.Tokens, s.context, ErrContextFull)
	}
	tokens, err := s.readTokens(r, int(head.Tokens))
	if err != nil {
		return err
	}
	var valid bool
	if err := readAll(r, &valid); err != nil {
		return err
	}
	logits := make([]float32, s.m.config.Vocab)
	if valid {
		if len(tokens) == 0 {
			return errors.New("it has logits, but no token that they would belong to")
		}
		if err := readAll(r, logits); err != nil {
			return err
		}
	}
	c := s.m.newCache()
	err = c.load(r, len(tokens))
	if err == nil {
		err = atEnd(r)
	}
	if err != nil {
		c.truncate(0)
		return s.short(err, len(tokens))
	}
	s.ahead.forget()
	s.cache.truncate(0)
	s.cache, s.tokens, s.logits, s.valid = c, tokens, logits, valid
	return nil
}

// readTokens reads n tokens of the vocabulary, in pieces: n may be a lie.
func (s *Session) readTokens(r io.Reader, n int) ([]int32, error) {
	var tokens []int32
	piece := make([]int32, 1024)
	for len(tokens) < n {
		part := piece[:min(len(piece), n-len(tokens))]
		if err := readAll(r, part); err != nil {
			return nil, err
		}
		if err := s.inVocabulary(part); err != nil {
			return nil, err
		}
		tokens = append(tokens, part...)
	}
	return tokens, nil
}

func readAll(r io.Reader, values ...any) error {
	for _, v := range values {
		if err := binary.Read(r, binary.LittleEndian, v); err != nil {
			return err
		}
	}
	return nil
}

// atEnd reads to the end, which also verifies the checksum, and wants nothing
// there.
func atEnd(r io.Reader) error {
	n, err := r.Read(make([]byte, 1))
	if n != 0 {
		return errors.New("there is more in it than a session")
	}
	if err != io.EOF {
		return err
	}
	return nil
}

// each calls visit for the parts of the cache that hold the first n positions,
// in a fixed order: by page, layer and head, keys before values.
func (c *cache) each(n int, visit func([]byte) error) error {
	var last []byte // keys of a page that is not full
	for i := range pagesFor(n) {
		used := min(n-i*ggml.PageSize, ggml.PageSize)
		err := c.eachPart(i, used, func(kv *ggml.KV, keys, values []byte) error {
			if used < ggml.PageSize {
				last = append(last[:0], keys...)
				kv.ClearKeys(last, used)
				keys = last
			}
			if err := visit(keys); err != nil {
				return err
			}
			return visit(values)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// eachPart calls visit for what page i holds of the first used of its positions.
func (c *cache) eachPart(i, used int, visit func(kv *ggml.KV, keys, values []byte) error) error {
	for _, kv := range c.layers {
		for h := range kv.Heads() {
			k, v := kv.Parts(i, h, used)
			if err := visit(kv, k, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// load fills an empty cache with n positions, as each visits them. Pages are taken as
// their bytes come: a file that ends early has not taken the memory for all that it
// promised.
func (c *cache) load(r io.Reader, n int) error {
	for i := range pagesFor(n) {
		if err := c.loadPage(r, i, min(n-i*ggml.PageSize, ggml.PageSize)); err != nil {
			return err
		}
	}
	return nil
}

// loadPage appends page i, of which the first used positions count.
func (c *cache) loadPage(r io.Reader, i, used int) error {
	if err := c.prepare(i*ggml.PageSize, i*ggml.PageSize+used); err != nil {
		return err
	}
	return c.eachPart(i, used, func(_ *ggml.KV, keys, values []byte) error {
		if _, err := io.ReadFull(r, keys); err != nil {
			return err
		}
		_, err := io.ReadFull(r, values)
		return err
	})
}

// computeFingerprint identifies the weights well enough that sessions of
// different models are not mixed up: it covers the file's metadata, all tensor
// names, types and shapes, and a sample of every tensor's data. Reading all of
// a large file would take longer than the session saves.
func (m *Model) computeFingerprint() (sum [32]byte, err error) {
	const sample = 256
	h := sha256.New()
	fmt.Fprintf(h, "exact %v\n", m.opt.exact)
	for _, kv := range m.file.ModelMeta() {
		fmt.Fprintf(h, "%q %T %v\n", kv.Key, kv.Value, kv.Value)
	}
	err = m.file.Guard(func() error {
		for _, t := range m.file.Tensors() {
			data := t.Data()
			fmt.Fprintf(h, "%q %v %v %d\n", t.Name, t.Type, t.Shape, len(data))
			for _, at := range []int{0, len(data) / 2, len(data) - sample} {
				at = max(at, 0)
				h.Write(data[at:min(at+sample, len(data))])
			}
		}
		return nil
	})
	return [32]byte(h.Sum(nil)), err
}

// Fingerprint identifies the weights, the metadata of the model and whether it is exact, by
// a sample of the file: what tells saved sessions of other models apart. After Close it is an
// [ErrClosed]: the weights are gone.
func (m *Model) Fingerprint() ([32]byte, error) {
	if m.closed.Load() {
		return [32]byte{}, ErrClosed
	}
	return m.fingerprint()
}
