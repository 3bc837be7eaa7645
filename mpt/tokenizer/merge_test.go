package tokenizer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// naive merges a word as the definition of BPE says.
func naive(m *merges, word string) []int32 {
	var ids []int32
	for i := range len(word) {
		ids = append(ids, m.bytes[word[i]])
	}
	for {
		best, at := int32(noRank), 0
		for i := range max(len(ids)-1, 0) {
			if r := m.rank(ids[i], ids[i+1]); r < best {
				best, at = r, i
			}
		}
		if best == noRank {
			return ids
		}
		ids[at] = m.results[best]
		ids = slices.Delete(ids, at+1, at+2)
	}
}

// words returns random words that are rich in merges.
func words(r *rand.Rand, tok *Tokenizer, n int) string {
	var b strings.Builder
	for b.Len() < n {
		id := int32(r.IntN(tok.Size()))
		if _, typ := tok.Token(id); typ == Normal {
			b.Write(tok.AppendDecode(nil, []int32{id}, DecodeOptions{}))
		}
		for range r.IntN(3) {
			b.WriteByte("aeinst "[r.IntN(7)])
		}
	}
	return b.String()[:n]
}

func TestMergeEqualsNaive(t *testing.T) {
	testMerge(t, tiny(t))
	testMerge(t, neox(t))
}

func testMerge(t *testing.T, tok *Tokenizer) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		word := string(appendValid(nil, []byte(words(r, tok, 1+r.IntN(100)))))
		want := naive(tok.merges, word)
		if got := tok.merges.appendWord([]int32{7}, word); !slices.Equal(got[1:], want) {
			t.Fatalf("%q: %v, want %v", word, got[1:], want)
		}
		if got := tok.merges.appendLong(nil, word); !slices.Equal(got, want) {
			t.Fatalf("%q: long word: %v, want %v", word, got, want)
		}
		if part := word[:min(len(word), shortWord)]; !slices.Equal(tok.merges.appendShort(nil, part), naive(tok.merges, part)) {
			t.Fatalf("%q: short word: %v", part, tok.merges.appendShort(nil, part))
		}
	}
}

// A vocabulary in which a later merge makes room for an earlier one, and equal
// pairs overlap.
func TestMergeOrder(t *testing.T) {
	v := loadVocab(t, "testdata/tiny.tokenizer.json")
	v.Merges = []string{"xy z", "q q", "x y", "qq q", "qq qq"}
	for _, text := range []string{"xy", "xyz", "qq", "qqq", "qqqq"} {
		if _, ok := v.find(text); !ok {
			v.Tokens, v.Types = append(v.Tokens, text), append(v.Types, Normal)
		}
	}
	tok, err := New(v)
	if err != nil {
		t.Fatal(err)
	}
	for word, want := range map[string]string{
		"xyz": "xyz", "xyxyz": "xy|xyz", "qqq": "qqq", "qqqq": "qqqq", "qqqqq": "qq|qqq", "qqqqqqq": "qqqq|qqq",
	} {
		for name, merge := range map[string]func([]int32, string) []int32{"short": tok.merges.appendShort, "long": tok.merges.appendLong} {
			var got []string
			for _, id := range merge(nil, word) {
				got = append(got, v.Tokens[id])
			}
			if s := strings.Join(got, "|"); s != want {
				t.Errorf("%s: %s word: %s, want %s", word, name, s, want)
			}
		}
	}
}

// Vocabularies that no training would make: merges of three letters in random
// order, several ways to make a token.
func TestRandomMerges(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	base := loadVocab(t, "testdata/tiny.tokenizer.json")
	for range 300 {
		v := randomVocab(r, base)
		tok, err := New(v)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			var word strings.Builder
			for range 1 + r.IntN(80) {
				word.WriteByte("xyyz"[r.IntN(4)])
			}
			want := naive(tok.merges, word.String())
			if got := tok.merges.appendWord(nil, word.String()); !slices.Equal(got, want) {
				t.Fatalf("merges %q, word %q: %v, want %v", v.Merges, word.String(), got, want)
			}
			if got := tok.merges.appendLong(nil, word.String()); !slices.Equal(got, want) {
				t.Fatalf("merges %q, long word %q: %v, want %v", v.Merges, word.String(), got, want)
			}
		}
	}
}

// randomVocab returns the single bytes of base with random merges.
func randomVocab(r *rand.Rand, base *Vocab) *Vocab {
	v := *base
	v.Tokens, v.Types, v.Merges = slices.Clone(base.Tokens[:258]), slices.Clone(base.Types[:258]), nil
	texts := []string{"x", "y", "z"}
	for range 3 + r.IntN(20) {
		left, right := texts[r.IntN(len(texts))], texts[r.IntN(len(texts))]
		if pair := left + " " + right; !slices.Contains(v.Merges, pair) {
			v.Merges = append(v.Merges, pair)
		}
		if !slices.Contains(texts, left+right) {
			texts = append(texts, left+right)
			v.Tokens, v.Types = append(v.Tokens, left+right), append(v.Types, Normal)
		}
	}
	r.Shuffle(len(v.Merges), func(i, j int) { v.Merges[i], v.Merges[j] = v.Merges[j], v.Merges[i] })
	return &v
}

func BenchmarkEncode(b *testing.B) {
	tok := neox(b)
	var english strings.Builder
	for _, g := range goldens(b) {
		if len(g.Text) > 10 {
			english.WriteString(g.Text)
		}
	}
	prose := strings.Repeat("Once upon a time, in a small village near the mountains, there lived an old carpenter who couldn't stop talking about 1984. ", 1000)
	const big = 10 << 20
	r := rand.New(rand.NewPCG(7, 8))
	letters := make([]byte, big)
	for i := range letters {
		letters[i] = byte('a' + r.IntN(26))
	}
	var vowels strings.Builder
	for vowels.Len() < big {
		vowels.WriteByte("aeinorst"[r.IntN(8)])
	}
	for _, c := range []struct{ name, text string }{
		{"prose", prose},
		{"goldens", english.String()},
		{"one-letter", strings.Repeat("a", big)},
		{"letters", string(letters)},
		{"vowels", vowels.String()},
		{"spaces", strings.Repeat(" ", big)},
		{"newlines", strings.Repeat("\n", big)},
		{"marks", "e" + strings.Repeat("\u0301\u0327", big/4)},
	} {
		b.Run(fmt.Sprintf("text=%s", c.name), func(b *testing.B) {
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			var dst []int32
			for b.Loop() {
				dst = tok.AppendEncode(dst[:0], c.text, parse)
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	tok := neox(b)
	for b.Loop() {
		if _, err := New(tok.vocab); err != nil {
			b.Fatal(err)
		}
	}
}
