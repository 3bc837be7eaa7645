package tokenizer

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"mptgo/internal/check"
)

// spModels are models that sentencepiece has trained on texts of this project: BPE
// and Unigram, each with pieces for bytes, with rules of replacement, and with half
// of its pieces unused.
var spModels = []string{"bpe-bytes", "bpe", "bpe-unused", "unigram-bytes", "unigram", "unigram-unused"}

func spVocab(t testing.TB, name string) *Vocab {
	t.Helper()
	v, err := ParseSentencepiece(read(t, filepath.Join("testdata", "sentencepiece", name+".model")))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// spTokenizers returns the tokenizer of a model and the same through a GGUF file.
func spTokenizers(t testing.TB, name string) map[string]*Tokenizer {
	t.Helper()
	v := spVocab(t, name)
	direct, err := New(v)
	if err != nil {
		t.Fatal(err)
	}
	again, err := FromGGUF(write(t, mptMeta(v)))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*Tokenizer{"file": direct, "GGUF": again}
}

// spGolden is what sentencepiece 0.1.97 makes of a text.
type spGolden struct {
	Text    string
	IDs     map[string][]int32
	Decoded map[string]string
}

func spGoldens(t testing.TB) (all []spGolden) {
	t.Helper()
	for d := json.NewDecoder(strings.NewReader(string(read(t, "testdata/sentencepiece/golden.jsonl")))); d.More(); {
		var g spGolden
		if err := d.Decode(&g); err != nil {
			t.Fatal(err)
		}
		all = append(all, g)
	}
	return all
}

func TestSentencepieceGoldens(t *testing.T) {
	all := spGoldens(t)
	for _, name := range spModels {
		for from, tok := range spTokenizers(t, name) {
			for _, g := range all {
				if ids := tok.Encode(g.Text, EncodeOptions{}); !slices.Equal(ids, g.IDs[name]) {
					t.Errorf("%s of %s: %q:\n got %v\nwant %v", name, from, g.Text, ids, g.IDs[name])
				}
				if text := tok.Decode(g.IDs[name]); text != g.Decoded[name] {
					t.Errorf("%s of %s: decoded %q, want %q", name, from, text, g.Decoded[name])
				}
			}
		}
	}
}

// No model brings another to a different text, and every part of a stream is
// whole characters.
func TestSentencepieceStream(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	for _, name := range spModels {
		tok := spTokenizers(t, name)["file"]
		for range 500 {
			ids := make([]int32, 1+r.IntN(12))
			for i := range ids {
				ids[i] = int32(r.IntN(tok.Size()))
				if r.IntN(2) == 0 && name == "bpe-bytes" {
					ids[i] = tok.pieces.bytes["é😀 "[r.IntN(7)]]
				}
			}
			for _, opt := range []DecodeOptions{{}, {Start: true}, {Start: true, SkipControl: true}} {
				if got, want := stream(tok, ids, opt), tok.DecodeWith(ids, opt); got != want || !utf8.ValidString(got) {
					t.Fatalf("%s: %v with %+v: stream %q, at once %q", name, ids, opt, got, want)
				}
			}
		}
	}
}

// A text in two parts has the tokens of the whole, and no space between them.
func TestSentencepieceContinue(t *testing.T) {
	tok := spTokenizers(t, "bpe-bytes")["file"]
	start, rest := tok.Encode("Once upon", EncodeOptions{}), tok.Encode(" a time", EncodeOptions{Continue: true})
	whole := tok.Encode("Once upon a time", EncodeOptions{})
	if got := append(start, rest...); !slices.Equal(got, whole) || tok.Decode(whole) != "Once upon a time" {
		t.Errorf("in parts %v, whole %v: %q", got, whole, tok.Decode(whole))
	}
	if got := tok.DecodeWith(rest, DecodeOptions{}); got != " a time" {
		t.Errorf("decoded %q", got)
	}
	// After a control token a text begins.
	ids := tok.Encode("a<|ctl|>a", parse)
	a := tok.Encode("a", EncodeOptions{})
	ctl, _ := tok.ID("<|ctl|>")
	if want := slices.Concat(a, []int32{ctl}, a); !slices.Equal(ids, want) || tok.Decode(ids) != "a<|ctl|>a" {
		t.Errorf("%v, want %v: %q", ids, want, tok.Decode(ids))
	}
	if ids := tok.Encode("a<|ctl|>a", EncodeOptions{}); slices.Contains(ids, ctl) {
		t.Errorf("a control token from plain text: %v", ids)
	}
}

// spFile writes a model file: the given fields of trainer and normaliser, and
// pieces with their types.
func spFile(trainer, normalizer []byte, pieces ...spPiece) []byte {
	var b []byte
	for _, p := range pieces {
		piece := appendField(nil, 1, []byte(p.text))
		piece = binary.LittleEndian.AppendUint32(append(piece, 2<<3|5), math.Float32bits(p.score))
		b = appendField(b, 1, append(piece, 3<<3, byte(p.kind)))
	}
	return appendField(appendField(b, 2, trainer), 3, normalizer)
}

func appendField(b []byte, number int, value []byte) []byte {
	b = binary.AppendUvarint(b, uint64(number)<<3|2)
	return append(binary.AppendUvarint(b, uint64(len(value))), value...)
}

func TestParseSentencepieceRefuses(t *testing.T) {
	bpe := []byte{3 << 3, 2}
	unk := spPiece{"<unk>", 0, Unknown}
	for _, c := range []struct {
		file []byte
		want string
	}{
		{nil, "no pieces"},
		{[]byte("{}"), "not a well-formed"},
		{spFile(bpe, nil)[:3], "not a well-formed"},
		{spFile(bpe, nil, spPiece{"", 0, Normal}), "piece 0 is empty"},
		{spFile(bpe, nil, spPiece{"\xff", 0, Normal}), "not UTF-8"},
		{spFile(bpe, nil, spPiece{"x", float32(math.NaN()), Normal}), "score NaN"},
		{spFile([]byte{3 << 3, 3}, nil, unk), "type word"},
		{spFile([]byte{3 << 3, 4}, nil, unk), "type char"},
		{spFile([]byte{3 << 3, 9}, nil, unk), "unknown model type 9"},
		{spFile([]byte{0xC0, 1, 1}, nil, unk), "treat_whitespace_as_suffix"},
		{spFile(bpe, []byte{5 << 3, 0}, unk), "escape_whitespaces"},
		{spFile([]byte{0x98, 2, 1}, nil, unk), "byte_fallback is true, but there are 0 pieces"},
		{spFile(bpe, nil, unk, spPiece{"<0x00>", 0, Byte}), "byte_fallback is false, but there are 1 pieces"},
		{appendField(spFile(bpe, nil, unk), 5, appendField(nil, 2, []byte("x"))), "denormalizer"},
	} {
		if _, err := ParseSentencepiece(c.file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one that contains %q", err, c.want)
		}
	}
	for want, change := range map[string]func(v *Vocab){
		"needs a token for what is unknown": func(v *Vocab) { v.UNK = None },
		"1 scores for":                      func(v *Vocab) { v.Scores = v.Scores[:1] },
		"tokens for 255 of the 256 bytes":   func(v *Vocab) { v.Types[10] = Unused },
		"not spelled like one":              func(v *Vocab) { v.Types[400] = Byte },
		"a trie of":                         func(v *Vocab) { v.Charsmap = make([]byte, 12) },
		"3 bytes are too few":               func(v *Vocab) { v.Charsmap = make([]byte, 3) },
		"do not end with a zero":            func(v *Vocab) { v.Charsmap = []byte("\x04\x00\x00\x00abcdx") },
		"a text of 1025 bytes":              func(v *Vocab) { v.Charsmap = []byte("\x04\x00\x00\x00abcd" + strings.Repeat("x", 1025) + "\x00") },
	} {
		v := spVocab(t, "bpe-bytes")
		change(v)
		if _, err := New(v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that contains %q", err, want)
		}
	}
}

// Whatever a file holds, it is refused or gives a tokenizer that works.
func FuzzParseSentencepiece(f *testing.F) {
	pieces := []spPiece{{"<unk>", 0, Unknown}, {"\u2581a", -1, Normal}, {"b", -2, Normal}, {"ab", -3, Unused}, {"<b>", 0, UserDefined}, {"</s>", 0, Control}}
	// A table that replaces the byte 'a' by "b".
	table := binary.LittleEndian.AppendUint32(nil, 4*100)
	for i := range uint32(100) {
		unit := map[uint32]uint32{0: 0, 97: 'a' | 1<<8 | (97^99)<<10, 99: 1 << 31}[i]
		table = binary.LittleEndian.AppendUint32(table, unit)
	}
	table = appendField(nil, 2, append(table, "b\x00"...))
	f.Add(spFile([]byte{3 << 3, 2}, nil, pieces...), "a <b>ab")
	f.Add(spFile([]byte{3 << 3, 1}, table, pieces...), "a <b>ab")
	f.Fuzz(func(t *testing.T, model []byte, text string) {
		text = text[:min(len(text), 1000)]
		check.Bounded(t, len(model)+len(text), func() { trySentencepiece(t, model, text) })
	})
}

func trySentencepiece(t *testing.T, model []byte, text string) {
	v, err := ParseSentencepiece(model)
	if err != nil {
		return
	}
	tok, err := New(v)
	if err != nil {
		return
	}
	for _, id := range tok.Encode(text, parse) {
		if id < 0 || int(id) >= tok.Size() {
			t.Fatalf("id %d of %d", id, tok.Size())
		}
	}
}

// The tables of replacements that GGUF files of other programs hold as signed
// bytes, and what they leave out.
func TestSentencepieceGGUFOfLlama(t *testing.T) {
	v := spVocab(t, "unigram")
	signed := make([]int8, len(v.Charsmap))
	for i, b := range v.Charsmap {
		signed[i] = int8(b)
	}
	meta := replace(mptMeta(v), keyCharsmap, signed)
	got, err := vocabFromGGUF(write(t, meta))
	if err != nil || !reflect.DeepEqual(got, v) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, c := range []struct {
		model       string
		prefix, bos bool
	}{{"bpe-bytes", true, true}, {"unigram", false, false}} {
		meta := mptMeta(spVocab(t, c.model))
		for _, key := range []string{keyPrefix, keyExtraSpaces, keyAddBOS, keyPre, keyAddEOS} {
			meta = replace(meta, key, nil)
		}
		got, err := vocabFromGGUF(write(t, meta))
		if err != nil || got.AddSpacePrefix != c.prefix || got.AddBOS != c.bos || got.RemoveExtraSpaces || got.Pre != PreDefault {
			t.Errorf("%s: prefix %v, bos %v, %v", c.model, got.AddSpacePrefix, got.AddBOS, err)
		}
	}
}
