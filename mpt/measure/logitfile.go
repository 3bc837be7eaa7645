package measure

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"mptgo/mpt"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// A file of saved logits is logitMagic followed by a zstd stream (with its checksum)
// of little-endian values:
//
//	digest of the vocabulary               32 bytes
//	vocabulary V, context, first, chunks   4 x u32
//	the tokens of all chunks               chunks x context x i32
//	of every scored token: most likely token, -ln p of the one that comes
//	                                       u32, f64
//	                       distance of each logit from the largest, in units of
//	                       1/1024: V low bytes, then V high bytes
//
// Scored are the predictions after tokens first to context-2 of each chunk. The unit
// raises a mean divergence by 4e-8, and makes an error that falls with the number
// of tokens: 1e-5 of 100, 1e-6 of 10,000 for a divergence of 0.1. Logits that are 64 or more below
// the largest count as 64 below. The last byte of the magic is the version.
const (
	logitMagic = "MPTLOGI\x01"
	logitUnit  = 1. / 1024
	maxGap     = math.MaxUint16
)

// ErrLogits is wrapped by the errors of [Divergence] that are the fault of the file.
var ErrLogits = errors.New("not a usable file of logits")

// logitHead is the fixed part of a file of logits.
type logitHead struct {
	Vocabulary [32]byte
	Vocab      uint32
	Context    uint32
	First      uint32
	Chunks     uint32
}

func (e *evaluation) head() logitHead {
	return logitHead{vocabularyDigest(e.m), uint32(e.m.Config().Vocab), uint32(e.opt.Context), uint32(e.first),
		uint32(e.chunks)}
}

// vocabularyDigest returns a digest of all tokens. Models with the same one can be
// compared.
func vocabularyDigest(m *mpt.Model) (d [32]byte) {
	h := sha256.New()
	for id := range m.Tokenizer().Size() {
		text, kind := m.Tokenizer().Token(int32(id))
		fmt.Fprintf(h, "%d %d %s\n", len(text), kind, text)
	}
	return [32]byte(h.Sum(nil))
}

// SaveLogits is [Perplexity] that writes the logits of all scored tokens to w, for
// [Divergence]. A token takes a little less than two bytes for each entry of the
// vocabulary.
func SaveLogits(ctx context.Context, m *mpt.Model, text string, w io.Writer, opt PerplexityOptions) (PerplexityResult, error) {
	e, err := newEvaluation(m, text, opt)
	if err != nil {
		return PerplexityResult{}, err
	}
	if _, err := io.WriteString(w, logitMagic); err != nil {
		return PerplexityResult{}, fmt.Errorf("measure: save logits: %w", err)
	}
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return PerplexityResult{}, fmt.Errorf("measure: save logits: %w", err)
	}
	head := e.head()
	for _, v := range []any{&head, e.ids[:e.chunks*e.opt.Context]} {
		if err := binary.Write(z, binary.LittleEndian, v); err != nil {
			return PerplexityResult{}, fmt.Errorf("measure: save logits: %w", err)
		}
	}
	var rows [mpt.ScoreBlock][]byte
	r, err := e.perplexity(ctx, scorer{
		work: func(k int, x scored) error {
			row := &rows[k%len(rows)]
			*row = appendLogits((*row)[:0], x)
			return nil
		},
		visit: func(k int, _ scored) error {
			_, err := z.Write(rows[k%len(rows)])
			return err
		},
	})
	return r, errors.Join(err, z.Close())
}

// appendLogits appends a scored token as it stands in a file.
func appendLogits(b []byte, x scored) []byte {
	top := argmax(x.logits)
	b = binary.LittleEndian.AppendUint32(b, uint32(top))
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x.nll))
	at, n := len(b), len(x.logits)
	b = slices.Grow(b, 2*n)[:at+2*n]
	for i, l := range x.logits {
		gap := uint16(min(math.RoundToEven((float64(x.logits[top])-float64(l))/logitUnit), maxGap))
		b[at+i], b[at+n+i] = byte(gap), byte(gap>>8)
	}
	return b
}

// argmax returns the index of the first of the largest values.
func argmax(x []float32) int {
	top := 0
	for i, v := range x {
		if v > x[top] {
			top = i
		}
	}
	return top
}

// logitReader reads a file of logits.
type logitReader struct {
	z    *zstd.Decoder
	r    *bufio.Reader
	head logitHead
	rows *baseRows
}

// close ends reading.
func (l *logitReader) close() {
	l.rows.close()
	l.z.Close()
}

// newLogitReader reads the start of a file and checks that it fits e: the same
// vocabulary, context, rule and tokens. It limits e to the chunks of the file.
func newLogitReader(r io.Reader, e *evaluation) (*logitReader, error) {
	magic := make([]byte, len(logitMagic))
	switch _, err := io.ReadFull(r, magic); {
	case err != nil && err != io.EOF && err != io.ErrUnexpectedEOF:
		return nil, err
	case err != nil || string(magic) != logitMagic:
		return nil, errors.New("it does not begin like one of this version")
	}
	z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(64<<20), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	l := &logitReader{z: z, r: bufio.NewReader(z)}
	if err := l.start(e); err != nil {
		z.Close()
		return nil, err
	}
	l.rows = newBaseRows(l.r, int(l.head.Vocab))
	return l, nil
}

// start reads the head and the tokens.
func (l *logitReader) start(e *evaluation) error {
	if err := binary.Read(l.r, binary.LittleEndian, &l.head); err != nil {
		return err
	}
	want, h := e.head(), l.head
	switch {
	case h.Vocabulary != want.Vocabulary || h.Vocab != want.Vocab:
		return fmt.Errorf("it is of a model with another vocabulary (%d rows, this model has %d): their predictions cannot be compared", h.Vocab, want.Vocab)
	case h.Context != want.Context:
		return fmt.Errorf("its chunks have %d tokens, not %d: use the same context size", h.Context, want.Context)
	case h.First != want.First:
		return errors.New("it was made by the other rule: as one text, or as documents")
	case h.Chunks == 0:
		return errors.New("it holds no chunks, so there is nothing to compare with")
	case e.opt.Chunks > int(h.Chunks):
		return fmt.Errorf("it holds %d chunks, not the %d that were asked for", h.Chunks, e.opt.Chunks)
	case int64(h.Chunks)*int64(h.Context) > int64(len(e.ids)):
		return fmt.Errorf("it holds %d chunks, and this text has %d: it is of another text",
			h.Chunks, len(e.ids)/e.opt.Context)
	}
	e.chunks = min(e.chunks, int(h.Chunks))
	ids := make([]int32, h.Context)
	for c := range int(h.Chunks) {
		if err := binary.Read(l.r, binary.LittleEndian, ids); err != nil {
			return err
		}
		if !slices.Equal(ids, e.ids[c*len(ids):(c+1)*len(ids)]) {
			return fmt.Errorf("it is of another text: the tokens of chunk %d differ", c+1)
		}
	}
	return nil
}
