package tokenizer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// randomPieces returns a sentencepiece vocabulary that no training would make:
// pieces of four characters in random order, with few different scores.
func randomPieces(r *rand.Rand, model string) *Vocab {
	v := &Vocab{Model: model, Pre: PreDefault, BOS: None, EOS: None, UNK: 0, PAD: None}
	add := func(text string, t TokenType, score float32) {
		if !slices.Contains(v.Tokens, text) {
			v.Tokens, v.Types, v.Scores = append(v.Tokens, text), append(v.Types, t), append(v.Scores, score)
		}
	}
	add("<unk>", Unknown, 0)
	for range 4 + r.IntN(30) {
		add(randomWord(r, 4), Normal, -float32(1+r.IntN(6)))
	}
	if r.IntN(2) == 0 {
		add(randomWord(r, 2), UserDefined, 0)
	}
	return v
}

func randomWord(r *rand.Rand, most int) string {
	var b strings.Builder
	for range 1 + r.IntN(most) {
		b.WriteRune([]rune("xyzé")[r.IntN(4)])
	}
	return b.String()
}

// naivePieces cuts a text as the definition of sentencepiece's BPE says: the
// adjacent pieces whose texts together have the highest score, the leftmost of
// those, become one, until there are none.
func naivePieces(v *Vocab, text string) (list []string) {
	for text != "" {
		n := firstRune(text)
		for id, piece := range v.Tokens {
			if v.Types[id] == UserDefined && strings.HasPrefix(text, piece) {
				n = len(piece)
			}
		}
		list, text = append(list, text[:n]), text[n:]
	}
	fixed := func(s string) bool { id, ok := v.find(s); return ok && v.Types[id] == UserDefined }
	for {
		best, at := float32(0), -1
		for i := range len(list) - 1 {
			id, ok := v.find(list[i] + list[i+1])
			if ok && v.Types[id] != Unknown && !fixed(list[i]) && !fixed(list[i+1]) && (at < 0 || v.Scores[id] > best) {
				best, at = v.Scores[id], i
			}
		}
		if at < 0 {
			return list
		}
		list[at] += list[at+1]
		list = slices.Delete(list, at+1, at+2)
	}
}

// naiveIDs returns the ids of pieces, one for neighbours that are unknown.
func naiveIDs(v *Vocab, list []string) (ids []int32) {
	for _, s := range list {
		id, ok := v.find(s)
		if !ok {
			id = v.UNK
		}
		if id != v.UNK || len(ids) == 0 || ids[len(ids)-1] != int32(id) {
			ids = append(ids, int32(id))
		}
	}
	return ids
}

func TestMergePiecesEqualsNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	for range 500 {
		v := randomPieces(r, ModelSPM)
		p, err := newPieces(v)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			text := randomWord(r, 80)
			want := naiveIDs(v, naivePieces(v, text))
			for name, merge := range map[string]func(*pieceWriter, string){"parts": p.mergeParts, "exactly": p.mergeExactly} {
				w := pieceWriter{p: p}
				if merge(&w, text); !slices.Equal(w.ids, want) {
					t.Fatalf("pieces %q %v, scores %v: %s of %q: %v, want %v", v.Tokens, v.Types, v.Scores, name, text, w.ids, want)
				}
			}
		}
	}
}

// bestScore returns the greatest sum of scores of all ways to cut a text.
func bestScore(p *pieces, text string) float64 {
	if text == "" {
		return 0
	}
	n := firstRune(text)
	best := float64(p.unknown) + bestScore(p, text[n:])
	for end := 1; end <= len(text); end++ {
		if id, ok := p.ids[text[:end]]; ok {
			best = max(best, pieceScore(p, id, end)+bestScore(p, text[end:]))
		}
	}
	return best
}

func pieceScore(p *pieces, id int32, n int) float64 {
	if p.types[id] == UserDefined {
		return float64(float32(n)*p.maxScore) - 0.1
	}
	return float64(p.scores[id])
}

// The way that is found has the greatest sum of all ways. (A character that is a
// piece is never unknown; its score is higher, so that this makes no difference.)
func TestBestPathIsBest(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	for range 500 {
		v := randomPieces(r, ModelUnigram)
		p, err := newPieces(v)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			text := randomWord(r, 10)
			w := pathScorer{p: p}
			sum := w.score(text)
			if want := bestScore(p, text); sum < want-1e-4 || sum > want+1e-4 {
				t.Fatalf("pieces %q, scores %v: %q: score %v, want %v", v.Tokens, v.Scores, text, sum, want)
			}
		}
	}
}

// pathScorer adds up the scores of the way that bestPath finds.
type pathScorer struct{ p *pieces }

func (s pathScorer) score(text string) (sum float64) {
	p := *s.p
	p.fallback = true // so that unknown characters can be counted: by their bytes
	for b := range p.bytes {
		p.bytes[b] = int32(-2 - b)
	}
	w := pieceWriter{p: &p}
	p.bestPath(&w, text)
	for at, i := 0, 0; i < len(w.ids); i++ {
		if id := w.ids[i]; id >= 0 {
			n := len(p.text(id))
			sum, at = sum+pieceScore(&p, id, n), at+n
			continue
		}
		n := firstRune(text[at:])
		sum, at, i = sum+float64(p.unknown), at+n, i+n-1
	}
	return sum
}

func (p *pieces) text(id int32) string {
	for text, x := range p.ids {
		if x == id {
			return text
		}
	}
	return ""
}

func BenchmarkSentencepiece(b *testing.B) {
	r := rand.New(rand.NewPCG(7, 8))
	const big = 10 << 20
	letters := make([]byte, big)
	for i := range letters {
		letters[i] = byte('a' + r.IntN(26))
	}
	prose := strings.Repeat("Once upon a time, in a small village near the mountains, there lived an old carpenter. ", big/90)
	for _, name := range []string{"bpe-bytes", "unigram-bytes"} {
		tok, err := New(spVocab(b, name))
		if err != nil {
			b.Fatal(err)
		}
		for _, c := range []struct{ name, text string }{
			{"prose", prose}, {"letters", string(letters)}, {"one-letter", strings.Repeat("e", big)}, {"spaces", strings.Repeat(" ", big)},
		} {
			b.Run(fmt.Sprintf("model=%s/text=%s", name, c.name), func(b *testing.B) {
				b.SetBytes(int64(len(c.text)))
				b.ReportAllocs()
				var dst []int32
				for b.Loop() {
					dst = tok.AppendEncode(dst[:0], c.text, EncodeOptions{})
				}
			})
		}
	}
}
