package tokenizer

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// spModel is a sentencepiece model file, tokenizer.model or spiece.model: the
// message ModelProto, as far as it has an effect on ids and text.
type spModel struct {
	pieces       []spPiece
	kind         uint64 // trainer_spec.model_type
	byteFallback bool
	suffix       bool // trainer_spec.treat_whitespace_as_suffix

	// The names of special pieces, and that of the unknown one.
	bos, eos, pad, unk string

	normalizer spNormalizer
	restoring  bool // there is a table that is applied to decoded text
}

type spPiece struct {
	text  string
	score float32
	kind  TokenType // sentencepiece and GGUF number the types alike
}

// spNormalizer is the message NormalizerSpec.
type spNormalizer struct {
	charsmap                []byte
	prefix, squeeze, escape bool
}

// The values of trainer_spec.model_type.
const (
	spUnigram = 1
	spBPE     = 2
	spWord    = 3
	spChar    = 4
)

// ParseSentencepiece reads a sentencepiece model (tokenizer.model, spiece.model)
// of type BPE or Unigram. Bos, eos, unknown and padding are the pieces that the
// model names so; [Vocab.Configure] may change them.
func ParseSentencepiece(model []byte) (*Vocab, error) {
	m, err := parseSPModel(model)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: sentencepiece model: %w", err)
	}
	v, err := m.vocab()
	if err != nil {
		return nil, fmt.Errorf("tokenizer: sentencepiece model: %w", err)
	}
	return v, nil
}

func parseSPModel(b []byte) (*spModel, error) {
	s := &spModel{kind: spUnigram, bos: "<s>", eos: "</s>", pad: "<pad>", unk: "<unk>"}
	s.normalizer = spNormalizer{prefix: true, squeeze: true, escape: true}
	m := message{rest: b}
	for f, ok := m.next(); ok; f, ok = m.next() {
		var err error
		switch f.number {
		case 1:
			err = s.parsePiece(f.bytes)
		case 2:
			err = s.parseTrainer(f.bytes)
		case 3:
			err = s.normalizer.parse(f.bytes)
		case 5:
			var restorer spNormalizer
			err = restorer.parse(f.bytes)
			s.restoring = len(restorer.charsmap) > 0
		}
		if err != nil {
			return nil, err
		}
	}
	if m.err == nil && len(s.pieces) == 0 {
		return nil, fmt.Errorf("there are no pieces in it")
	}
	return s, m.err
}

func (s *spModel) parsePiece(b []byte) error {
	p := spPiece{kind: Normal}
	m := message{rest: b}
	for f, ok := m.next(); ok; f, ok = m.next() {
		switch f.number {
		case 1:
			p.text = string(f.bytes)
		case 2:
			p.score = f.float()
		case 3:
			p.kind = TokenType(int32(f.value))
		}
	}
	switch id := len(s.pieces); {
	case m.err != nil:
		return m.err
	case p.text == "":
		return fmt.Errorf("piece %d is empty", id)
	case !utf8.ValidString(p.text):
		return fmt.Errorf("piece %d %q is not UTF-8", id, p.text)
	case math.IsNaN(float64(p.score)) || math.IsInf(float64(p.score), 0):
		return fmt.Errorf("piece %d %q has the score %v", id, p.text, p.score)
	}
	s.pieces = append(s.pieces, p)
	return nil
}

func (s *spModel) parseTrainer(b []byte) error {
	m := message{rest: b}
	for f, ok := m.next(); ok; f, ok = m.next() {
		switch f.number {
		case 3:
			s.kind = f.value
		case 24:
			s.suffix = f.value != 0
		case 35:
			s.byteFallback = f.value != 0
		case 45:
			s.unk = string(f.bytes)
		case 46:
			s.bos = string(f.bytes)
		case 47:
			s.eos = string(f.bytes)
		case 48:
			s.pad = string(f.bytes)
		}
	}
	return m.err
}

func (n *spNormalizer) parse(b []byte) error {
	m := message{rest: b}
	for f, ok := m.next(); ok; f, ok = m.next() {
		switch f.number {
		case 2:
			n.charsmap = f.bytes
		case 3:
			n.prefix = f.value != 0
		case 4:
			n.squeeze = f.value != 0
		case 5:
			n.escape = f.value != 0
		}
	}
	return m.err
}

// vocab returns s in the terms of a GGUF file, and refuses what these cannot
// say.
func (s *spModel) vocab() (*Vocab, error) {
	v := &Vocab{Pre: PreDefault, BOS: None, EOS: None, UNK: None, PAD: None}
	switch s.kind {
	case spUnigram:
		v.Model = ModelUnigram
	case spBPE:
		v.Model = ModelSPM
	case spWord, spChar:
		return nil, fmt.Errorf("models of type %s are not supported: MPT models use BPE or Unigram",
			[...]string{spWord: "word", spChar: "char"}[s.kind])
	default:
		return nil, fmt.Errorf("unknown model type %d", s.kind)
	}
	switch {
	case s.suffix:
		return nil, fmt.Errorf("treat_whitespace_as_suffix is not supported")
	case !s.normalizer.escape:
		return nil, fmt.Errorf("escape_whitespaces false is not supported")
	case s.restoring:
		return nil, fmt.Errorf("a denormalizer is not supported")
	}
	v.AddSpacePrefix, v.RemoveExtraSpaces, v.Charsmap = s.normalizer.prefix, s.normalizer.squeeze, s.normalizer.charsmap
	bytes := 0
	for id, p := range s.pieces {
		v.Tokens, v.Types, v.Scores = append(v.Tokens, p.text), append(v.Types, p.kind), append(v.Scores, p.score)
		s.setSpecial(v, id)
		if p.kind == Byte {
			bytes++
		}
	}
	if s.byteFallback != (bytes > 0) {
		return nil, fmt.Errorf("byte_fallback is %v, but there are %d pieces for bytes", s.byteFallback, bytes)
	}
	return v, nil
}

// setSpecial notes whether a piece is one of those with a function: they have to
// be of the right type for it.
func (s *spModel) setSpecial(v *Vocab, id int) {
	p := s.pieces[id]
	for _, x := range []struct {
		name string
		kind TokenType
		id   *int
	}{{s.bos, Control, &v.BOS}, {s.eos, Control, &v.EOS}, {s.pad, Control, &v.PAD}, {s.unk, Unknown, &v.UNK}} {
		if p.text == x.name && p.kind == x.kind {
			*x.id = id
		}
	}
}

// blank is what stands for a space in the pieces of sentencepiece.
const blank = "\u2581"

// byteText returns the text of the piece for a byte.
func byteText(b int) string { return fmt.Sprintf("<0x%02X>", b) }

// unescapeSpaces returns the text that a piece stands for.
func unescapeSpaces(piece string) string { return strings.ReplaceAll(piece, blank, " ") }
