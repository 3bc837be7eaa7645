package tokenizer

import (
	"fmt"
	"slices"
)

// Tokenizer encodes and decodes text. It is immutable and safe for concurrent
// use.
type Tokenizer struct {
	vocab  *Vocab
	ids    map[string]int32
	eogs   []int32
	merges *merges // of byte-level BPE, or nil
	pieces *pieces // of a sentencepiece model, or nil
	nfc    bool    // whether text is normalised to form C

	// What is cut out of a text before and after normalisation: for text whose
	// control tokens are plain text, and for text in which they are parsed.
	plain, parsed stages

	// spelled holds the bytes that the tokens contribute to a text, one after
	// the other; those of token i end at ends[i].
	spelled []byte
	ends    []int

	// cut holds the user-defined tokens that were added to a sentencepiece model.
	cut map[int32]bool
}

// New returns the tokenizer that v describes. It keeps v, which must not be
// changed any more.
func New(v *Vocab) (*Tokenizer, error) {
	if err := v.validate(); err != nil {
		return nil, err
	}
	t := &Tokenizer{vocab: v, ids: make(map[string]int32, len(v.Tokens)), nfc: v.Model == ModelBPE &&
		v.Pre == PreMPT, eogs: v.eogs()}
	for id, text := range v.Tokens {
		if twin, ok := t.ids[text]; ok {
			return nil, fmt.Errorf("tokenizer: tokens %d and %d are both %q", twin, id, text)
		}
		t.ids[text] = int32(id)
	}
	var err error
	if v.sentencepiece() {
		t.pieces, err = newPieces(v)
	} else {
		t.merges, err = newMerges(v, t.ids)
	}
	if err != nil {
		return nil, err
	}
	t.plain, t.parsed = newStages(v, false), newStages(v, true)
	t.spell()
	return t, nil
}

// newStages returns the added tokens of v to look for in a text: the
// user-defined ones, and the control tokens if they are to be parsed. The
// user-defined pieces of a sentencepiece model are left to it.
func newStages(v *Vocab, parseSpecial bool) stages {
	late := v.isNormalized()
	s := stages{newCutter(), newCutter()}
	s.raw.rules = v.rules()
	s.normalized.rules = s.raw.rules
	for i, text := range v.Tokens {
		id := int32(i)
		switch {
		case v.Types[id] != UserDefined && (v.Types[id] != Control || !parseSpecial):
		case !late[id]:
			s.raw.add(text, id)
		case v.sentencepiece():
		case v.Pre == PreMPT:
			s.normalized.add(nfc(text), id)
		default:
			s.normalized.add(text, id)
		}
	}
	return s
}

// spell fills in spelled.
func (t *Tokenizer) spell() {
	t.ends, t.cut = make([]int, len(t.vocab.Tokens)), map[int32]bool{}
	late := t.vocab.isNormalized()
	for id, text := range t.vocab.Tokens {
		switch kind := t.vocab.Types[id]; {
		case kind == Unused && text == padText(id):
		case t.pieces != nil:
			t.spelled = append(t.spelled, t.pieces.spell(t.vocab, int32(id), late)...)
			if kind == UserDefined && !late[int32(id)] {
				t.cut[int32(id)] = true
			}
		case kind == Normal:
			t.spelled = appendBytes(t.spelled, text)
		case kind != Unused:
			t.spelled = append(t.spelled, text...)
		}
		t.ends[id] = len(t.spelled)
	}
}

// Size returns the number of tokens, unused ones included.
func (t *Tokenizer) Size() int { return len(t.vocab.Tokens) }

// Token returns the text of a token as the vocabulary has it, which for normal
// tokens is in byte-level form, and its type. An id outside the vocabulary is
// an unused token without a text.
func (t *Tokenizer) Token(id int32) (string, TokenType) {
	if id < 0 || int(id) >= len(t.vocab.Tokens) {
		return "", Unused
	}
	return t.vocab.Tokens[id], t.vocab.Types[id]
}

// Text returns the bytes that token id stands for, those of a control token its name.
func (t *Tokenizer) Text(id int32) string {
	return string(t.AppendDecode(nil, []int32{id}, DecodeOptions{}))
}

// ID returns the id of the token with the given text, in the form that Token
// returns.
func (t *Tokenizer) ID(text string) (int32, bool) {
	id, ok := t.ids[text]
	return id, ok
}

// BOS returns the id that starts a text, or [None].
func (t *Tokenizer) BOS() int32 { return int32(t.vocab.BOS) }

// UNK returns the id of what has no token, or [None].
func (t *Tokenizer) UNK() int32 { return int32(t.vocab.UNK) }

// AddsBOS reports whether the vocabulary wants a text to start with [Tokenizer.BOS].
func (t *Tokenizer) AddsBOS() bool { return t.vocab.AddBOS }

// EOS returns the id that ends a text, or [None].
func (t *Tokenizer) EOS() int32 { return int32(t.vocab.EOS) }

// PAD returns the id that fills up a batch, or [None].
func (t *Tokenizer) PAD() int32 { return int32(t.vocab.PAD) }

// EOGs returns the ids that end a generation, in increasing order: eos, those
// the model's files name, and every control or user-defined token that is
// spelled <|endoftext|>, <|im_end|>, <|eot_id|>, <|end|>, <end_of_turn> or
// <EOT>. The caller must not change the slice.
func (t *Tokenizer) EOGs() []int32 { return t.eogs }

// IsEOG reports whether id ends a generation.
func (t *Tokenizer) IsEOG(id int32) bool { return slices.Contains(t.eogs, id) }

// ChatTemplate returns the Jinja template for conversations, or "".
func (t *Tokenizer) ChatTemplate() string { return t.vocab.ChatTemplate }

// Templates returns further templates for conversations, by name. The caller must
// not change the map.
func (t *Tokenizer) Templates() map[string]string { return t.vocab.Templates }
