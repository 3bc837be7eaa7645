package tokenizer

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// pieces is a sentencepiece model: the steps from a text without control tokens
// to ids.
type pieces struct {
	norm *normalizer
	ids  map[string]int32 // of the pieces that text is cut into
	unk  int32            // stands for what has no piece

	types  []TokenType
	scores []float32

	// bytes are the ids of single bytes, of which then unknown text is made.
	bytes    [256]int32
	fallback bool

	user *trie // pieces that are found in the text before all others

	// Of BPE: the ranks of pieces by id, 0 for that of the highest score; equal
	// scores have equal ranks. Which characters stand side by side in a piece.
	// Whether there are pieces of type unused, which take part in merges but not
	// in the result.
	ranks  []int32
	joined *runePairs
	unused bool

	// Of Unigram: the pieces, and the scores of unknown and of user-defined ones.
	tree     *prefixTree
	unknown  float32
	maxScore float32
}

// newPieces returns the model that v describes.
func newPieces(v *Vocab) (*pieces, error) {
	p := &pieces{ids: make(map[string]int32, len(v.Tokens)), unk: int32(v.UNK), types: v.Types, scores: v.Scores,
		user: newTrie()}
	late := v.isNormalized()
	for i, text := range v.Tokens {
		id := int32(i)
		if !v.isPiece(id, late) || text == "" {
			continue
		}
		p.ids[text] = id
		p.unused = p.unused || v.Types[i] == Unused
		if v.Types[i] == UserDefined {
			p.user.add(text, id)
		}
	}
	if err := p.findBytes(v); err != nil {
		return nil, err
	}
	if p.unk == None {
		return nil, fmt.Errorf("tokenizer: a sentencepiece vocabulary needs a token for what is unknown, and there is none")
	}
	if v.Model == ModelUnigram {
		p.growTree(v)
	} else {
		p.rank(v)
	}
	table, err := parseCharsmap(v.Charsmap)
	p.norm = &normalizer{table: table, user: p.user, prefix: v.AddSpacePrefix, squeeze: v.RemoveExtraSpaces}
	return p, err
}

// isPiece reports whether text may be cut into the token id: what is added to a
// model is cut out of the text before, and padding stands for nothing. Control
// tokens are never made from plain text.
func (v *Vocab) isPiece(id int32, late map[int32]bool) bool {
	switch v.Types[id] {
	case Normal:
		return true
	case UserDefined:
		return late[id]
	case Unused:
		return v.Tokens[id] != padText(int(id))
	}
	return false
}

// findBytes looks up the tokens of single bytes: all of them or none.
func (p *pieces) findBytes(v *Vocab) error {
	found := 0
	for id, text := range v.Tokens {
		if v.Types[id] != Byte {
			continue
		}
		var b int
		if n, err := fmt.Sscanf(text, "<0x%02X>", &b); n != 1 || err != nil || text != byteText(b) {
			return fmt.Errorf("tokenizer: token %d %q is of type byte, but not spelled like one, such as <0x0A>", id, text)
		}
		p.bytes[b] = int32(id)
		found++
	}
	if found != 0 && found != len(p.bytes) {
		return fmt.Errorf("tokenizer: there are tokens for %d of the 256 bytes: want all or none", found)
	}
	p.fallback = found > 0
	return nil
}

// rank prepares merges.
func (p *pieces) rank(v *Vocab) {
	p.joined = newRunePairs()
	byScore := make([]int32, 0, len(p.ids))
	for id, text := range v.Tokens { // most files have them in this order
		if x, ok := p.ids[text]; ok && x == int32(id) {
			byScore = append(byScore, x)
			p.joined.addAll(text)
		}
	}
	slices.SortFunc(byScore, func(a, b int32) int { return cmp.Compare(v.Scores[b], v.Scores[a]) })
	p.ranks = make([]int32, len(v.Tokens))
	rank := int32(0)
	for i, id := range byScore {
		if i > 0 && v.Scores[id] != v.Scores[byScore[i-1]] {
			rank++
		}
		p.ranks[id] = rank
	}
}

// growTree prepares the search for the best pieces.
func (p *pieces) growTree(v *Vocab) {
	p.tree = newPrefixTree()
	for text, id := range p.ids {
		p.tree.add(text, id)
	}
	// As in the reference the greatest score is never below the least positive
	// number. Only user-defined pieces have to do with it.
	low, high := float32(math.MaxFloat32), float32(0x1p-126)
	for id, t := range v.Types {
		if t == Normal {
			low, high = min(low, v.Scores[id]), max(high, v.Scores[id])
		}
	}
	p.unknown, p.maxScore = low-unknownPenalty, high
}

// unknownPenalty is how much worse an unknown character is than the worst piece.
const unknownPenalty = 10

// appendText appends the ids of a text. Fresh says that it begins there, or
// follows a control token.
func (p *pieces) appendText(dst []int32, text string, fresh bool) []int32 {
	if text = p.norm.apply(text, fresh); text == "" {
		return dst
	}
	w := pieceWriter{p: p, ids: dst}
	switch {
	case p.tree != nil:
		p.bestPath(&w, text)
	case p.unused:
		p.mergeExactly(&w, text)
	default:
		p.mergeParts(&w, text)
	}
	return w.ids
}

// pieceWriter makes ids of the pieces of a text.
type pieceWriter struct {
	p       *pieces
	ids     []int32
	unknown bool // the last piece had no token
}

// add takes the next piece, and its id, which is unk if it has none. Pieces that
// are unknown become their bytes, or one unknown token together.
func (w *pieceWriter) add(text string, id int32) {
	switch {
	case id != w.p.unk:
		w.ids = append(w.ids, id)
	case w.p.fallback:
		for i := range len(text) {
			w.ids = append(w.ids, w.p.bytes[text[i]])
		}
	case !w.unknown:
		w.ids = append(w.ids, id)
	}
	w.unknown = id == w.p.unk
}

// id returns the id of a piece, or unk.
func (p *pieces) id(text string) int32 {
	if id, ok := p.ids[text]; ok {
		return id
	}
	return p.unk
}

// firstRune returns the length of the character that s begins with.
func firstRune(s string) int {
	_, n := utf8.DecodeRuneInString(s)
	return n
}

// unknownText is what the reference shows for an unknown token.
const unknownText = " \u2047 "

// spell returns the bytes that a token contributes to a text.
func (p *pieces) spell(v *Vocab, id int32, late map[int32]bool) string {
	text := v.Tokens[id]
	switch v.Types[id] {
	case Unknown:
		return unknownText
	case Byte:
		for b, x := range p.bytes {
			if x == id {
				return string([]byte{byte(b)})
			}
		}
	case UserDefined:
		if !late[id] {
			return text
		}
	case Control:
		return text
	}
	return unescapeSpaces(text)
}

// withoutPrefix returns b, the bytes of a token at the beginning of a text,
// without the space that encoding put there, and whether the next token may begin
// with such a one as well.
func (p *pieces) withoutPrefix(id int32, b []byte) (rest []byte, more bool) {
	n := p.norm
	if t := p.types[id]; t == Byte || t == Unknown || !n.prefix && !n.squeeze {
		return b, false
	}
	rest = bytes.TrimPrefix(b, []byte(" "))
	return rest, n.squeeze && len(rest) == 0
}
