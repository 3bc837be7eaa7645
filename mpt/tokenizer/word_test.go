package tokenizer

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"
	"unicode"
	"unicode/utf8"
)

// The alternatives of the GPT-2 pattern in order, but for the last two, which
// need a look ahead. White space is spelled out: Go's \s is ASCII.
const white = "\\t-\\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"

var (
	wordRE  = regexp.MustCompile(`^(?:'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^` + white + `\p{L}\p{N}]+)`)
	spaceRE = regexp.MustCompile(`^[` + white + `]+`)
)

// patternWord is word by regular expressions.
func patternWord(s string) int {
	if loc := wordRE.FindStringIndex(s); loc != nil {
		return loc[1]
	}
	end := spaceRE.FindStringIndex(s)[1]
	if end == len(s) {
		return end
	}
	if _, n := utf8.DecodeLastRuneInString(s[:end]); n < end {
		return end - n
	}
	return end
}

func TestWordEqualsPattern(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 3000 {
		text := randomText(r, 1+r.IntN(20))
		for s := text; s != ""; {
			got, want := word(s), patternWord(s)
			if got != want {
				t.Fatalf("%+q: word of %d bytes, want %d", s, got, want)
			}
			s = s[got:]
		}
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string][]string{
		"Hello, world!":     {"Hello", ",", " world", "!"},
		"it's I'LL we'llx":  {"it", "'s", " I", "'", "LL", " we", "'ll", "x"},
		"a  b":              {"a", " ", " b"},
		"a \t\nb":           {"a", " \t", "\n", "b"},
		"a \u00a0b":         {"a", " ", "\u00a0", "b"},
		"a\n b\n":           {"a", "\n", " b", "\n"},
		" 12ab":             {" 12", "ab"},
		"  ":                {"  "},
		" ' x":              {" '", " x"},
		"¼Ⅷ五":               {"¼Ⅷ", "五"},
		"x\u0301y \u200b":   {"x", "\u0301", "y", " \u200b"},
		"'":                 {"'"},
		"\u3000\u3000a":     {"\u3000", "\u3000", "a"},
		"snake_case=a['t']": {"snake", "_", "case", "=", "a", "['", "t", "']"},
	} {
		var got []string
		for s := text; s != ""; {
			n := word(s)
			got = append(got, s[:n])
			s = s[n:]
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// The pattern's white space is Unicode's White_Space, listed in the standard.
func TestWhiteSpace(t *testing.T) {
	want := []rune{9, 10, 11, 12, 13, 0x20, 0x85, 0xA0, 0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005,
		0x2006, 0x2007, 0x2008, 0x2009, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
	var got []rune
	for r := range unicode.MaxRune + 1 {
		if classOf(r) == space {
			got = append(got, r)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}
