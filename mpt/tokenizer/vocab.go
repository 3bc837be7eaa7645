package tokenizer

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mptgo/internal/errkind"
)

// TokenType says what a token stands for. The numbers are those of GGUF.
type TokenType int32

// The types of tokens. Byte-level BPE has no use for Unknown and Byte.
const (
	Normal      TokenType = 1 // made by BPE or Unigram
	Unknown     TokenType = 2
	Control     TokenType = 3 // literal text that is only a token where the caller asks for it
	UserDefined TokenType = 4 // literal text that is always a token
	Unused      TokenType = 5 // fills the embedding; stands for nothing
	Byte        TokenType = 6
)

// String returns the name of t, such as "control".
func (t TokenType) String() string {
	names := [...]string{Normal: "normal", Unknown: "unknown", Control: "control",
		UserDefined: "user-defined", Unused: "unused", Byte: "byte"}
	if t < Normal || int(t) >= len(names) {
		return fmt.Sprintf("token type %d", int32(t))
	}
	return names[t]
}

// The values of [Vocab.Model] and [Vocab.Pre] that this package runs.
const (
	ModelBPE     = "gpt2"    // byte-level BPE
	ModelSPM     = "llama"   // sentencepiece BPE
	ModelUnigram = "t5"      // sentencepiece Unigram
	PreMPT       = "mpt"     // NFC, then the GPT-2 pattern
	PreGPT2      = "gpt-2"   // the GPT-2 pattern without normalisation
	PreDefault   = "default" // none: of sentencepiece models
)

// None is the value of an id that a vocabulary does not have.
const None = -1

// Vocab describes a tokenizer in the terms of a GGUF file.
type Vocab struct {
	Model string // tokenizer.ggml.model
	Pre   string // tokenizer.ggml.pre

	// Tokens and Types are indexed by id. The texts are distinct; those of
	// normal tokens are in byte-level form (Ġ for a space), of sentencepiece
	// models with ▁ for a space; others are literal.
	Tokens []string
	Types  []TokenType

	// Merges are pairs "left right" of token texts; the index is the rank.
	Merges []string

	// Scores of a sentencepiece model are indexed by id as well.
	Scores []float32

	// The normaliser of a sentencepiece model: whether a text gets a space before
	// it, whether spaces at its ends and repeated ones are removed, and its table
	// of replacements, as compiled by sentencepiece.
	AddSpacePrefix, RemoveExtraSpaces bool
	Charsmap                          []byte

	// Normalized lists, in increasing order, the ids of the control and
	// user-defined tokens that are looked for after normalisation. The others
	// are cut out of the text before. Nil means all user-defined tokens, as
	// in every known MPT tokenizer. Of a sentencepiece model these are its own
	// user-defined pieces; the others were added to it.
	Normalized []int32

	// LStrip and RStrip list, in increasing order, the ids of the control and
	// user-defined tokens that take the white space before or after them, SingleWord
	// those that are not found inside a word.
	LStrip, RStrip, SingleWord []int32

	BOS, EOS, UNK, PAD int     // ids, or None
	EOG                []int32 // ids that end a generation, besides EOS
	AddBOS             bool    // a prompt starts with BOS
	ChatTemplate       string  // Jinja source, or ""

	// Templates are further chat templates, by name.
	Templates map[string]string
}

// Pad adds unused tokens until there is one token for each of the rows of an
// embedding. It fails if there are more tokens than rows.
func (v *Vocab) Pad(rows int) error {
	if len(v.Tokens) > rows {
		return fmt.Errorf("tokenizer: %d tokens do not fit an embedding of %d rows: the tokenizer belongs to another model", len(v.Tokens), rows)
	}
	v.Tokens = slices.Grow(v.Tokens, rows-len(v.Tokens))
	for id := len(v.Tokens); id < rows; id++ {
		v.Tokens = append(v.Tokens, padText(id))
		v.Types = append(v.Types, Unused)
		if v.sentencepiece() {
			v.Scores = append(v.Scores, paddingScore)
		}
	}
	return nil
}

// paddingScore is the score that llama.cpp's converter gives to unused tokens.
const paddingScore = -10000

// sentencepiece reports whether v is of a sentencepiece model.
func (v *Vocab) sentencepiece() bool { return v.Model == ModelSPM || v.Model == ModelUnigram }

// isNormalized returns normalized as a set.
func (v *Vocab) isNormalized() map[int32]bool {
	set := make(map[int32]bool)
	for _, id := range v.normalized() {
		set[id] = true
	}
	return set
}

// padText is the text that llama.cpp's converter gives to the unused token id.
func padText(id int) string { return "[PAD" + strconv.Itoa(id) + "]" }

// normalized returns the ids of the tokens to look for after normalisation.
func (v *Vocab) normalized() []int32 {
	if v.Normalized != nil {
		return v.Normalized
	}
	var ids []int32
	for id, t := range v.Types {
		if t == UserDefined {
			ids = append(ids, int32(id))
		}
	}
	return ids
}

// unsupported returns an error about a feature of a sound vocabulary.
func unsupported(format string, args ...any) error {
	return errkind.As(fmt.Errorf(format, args...), errors.ErrUnsupported)
}

// validate reports what keeps v from describing a tokenizer, apart from its
// merges, which are checked when they are resolved.
func (v *Vocab) validate() error {
	switch {
	case !v.sentencepiece() && v.Model != ModelBPE:
		return unsupported("tokenizer: model %q is not supported: MPT models use %q, %q or %q",
			v.Model, ModelBPE, ModelSPM, ModelUnigram)
	case v.sentencepiece() && len(v.Scores) != len(v.Tokens):
		return fmt.Errorf("tokenizer: %d scores for %d tokens", len(v.Scores), len(v.Tokens))
	case v.Model == ModelBPE && v.Pre != PreMPT && v.Pre != PreGPT2:
		return unsupported("tokenizer: pre-tokenizer %q is not supported: MPT models use %q", v.Pre, PreMPT)
	case len(v.Types) != len(v.Tokens):
		return fmt.Errorf("tokenizer: %d token types for %d tokens", len(v.Types), len(v.Tokens))
	case len(v.Tokens) > maxTokens:
		return fmt.Errorf("tokenizer: %d tokens: at most %d are supported", len(v.Tokens), maxTokens)
	}
	for id, t := range v.Types {
		if t < Normal || t > Byte {
			return fmt.Errorf("tokenizer: token %d %q has the unknown type %d", id, v.Tokens[id], int32(t))
		}
	}
	return v.validateIDs()
}

// maxTokens leaves room for an id in half of a merge table's key.
const maxTokens = 1 << 30

// validateIDs checks that every id names a token.
func (v *Vocab) validateIDs() error {
	check := func(what string, id int) error {
		if id >= 0 && id < len(v.Tokens) {
			return nil
		}
		return fmt.Errorf("tokenizer: %s id %d is outside the vocabulary of %d tokens", what, id, len(v.Tokens))
	}
	for _, special := range []struct {
		what string
		id   int
	}{{"bos", v.BOS}, {"eos", v.EOS}, {"unknown", v.UNK}, {"padding", v.PAD}} {
		if special.id != None {
			if err := check(special.what, special.id); err != nil {
				return err
			}
		}
	}
	for _, id := range v.EOG {
		if err := check("end of generation", int(id)); err != nil {
			return err
		}
	}
	for _, list := range v.lists() {
		for _, id := range *list.ids {
			if err := check(list.what, int(id)); err != nil {
				return err
			}
		}
	}
	if v.AddBOS && v.BOS == None {
		return fmt.Errorf("tokenizer: prompts are to start with bos, but there is no bos id")
	}
	return nil
}

// idList is a list of tokens that have something in common.
type idList struct {
	key, what string
	ids       *[]int32
}

// lists returns the lists that say how added tokens are found in a text.
func (v *Vocab) lists() [4]idList {
	return [...]idList{
		{keyNormalized, "normalized token", &v.Normalized},
		{keyLStrip, "lstrip token", &v.LStrip},
		{keyRStrip, "rstrip token", &v.RStrip},
		{keySingleWord, "single_word token", &v.SingleWord},
	}
}

// endOfText is the token that ends a text of GPT-NeoX.
const endOfText = "<|endoftext|>"

// endings are the spellings of tokens that end a generation in any model, the
// same that llama.cpp knows.
var endings = []string{endOfText, "<|im_end|>", "<|eot_id|>", "<|end|>", "<end_of_turn>", "<EOT>"}

// eogs returns the ids that end a generation, in increasing order: eos, those
// listed in EOG, and the control and user-defined tokens spelled like an
// ending.
func (v *Vocab) eogs() []int32 {
	ids := slices.Clone(v.EOG)
	if v.EOS != None {
		ids = append(ids, int32(v.EOS))
	}
	for id, t := range v.Types {
		if t.added() && slices.Contains(endings, v.Tokens[id]) {
			ids = append(ids, int32(id))
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// added reports whether tokens of type t are pieces of literal text that are
// matched in the input, rather than made by merges.
func (t TokenType) added() bool { return t == Control || t == UserDefined }

// looksSpecial reports whether a token is spelled like a mark that only the
// caller may set, whatever its file says of it.
func looksSpecial(text string) bool {
	return len(text) > 4 && strings.HasPrefix(text, "<|") && strings.HasSuffix(text, "|>")
}
