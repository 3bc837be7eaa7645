package eval

import (
	"slices"
	"strings"
	"unicode"
)

// isSpace reports what Python's str.isspace does: Go lacks the four separators.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// strip and rstrip are those of Python's str.
func strip(s string) string  { return strings.TrimFunc(s, isSpace) }
func rstrip(s string) string { return strings.TrimRightFunc(s, isSpace) }

// countWords returns len(re.split(r"\s+", s)).
func countWords(s string) int {
	n, space := 1, false
	for _, r := range s {
		if isSpace(r) && !space {
			n++
		}
		space = isSpace(r)
	}
	return n
}

// isWord reports whether Python's re counts r as \w.
func isWord(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r)
}

// lower is Python's str.lower: the full mapping, of which Go does the characters that
// stay one.
func lower(s string) string {
	if !strings.ContainsAny(s, "İΣ") {
		return strings.ToLower(s)
	}
	in := []rune(s)
	var b strings.Builder
	for i, r := range in {
		switch {
		case r == 'İ':
			b.WriteString("i\u0307")
		case r == 'Σ' && finalSigma(in, i):
			b.WriteRune('ς')
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// finalSigma reports whether the sigma at i ends a word: a cased letter stands before it
// and none behind it, apart from characters that case ignores.
func finalSigma(in []rune, i int) bool {
	cased := func(list []rune) bool {
		for _, r := range list {
			if !caseIgnorable(r) {
				return unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r)
			}
		}
		return false
	}
	before := slices.Clone(in[:i])
	slices.Reverse(before)
	return cased(before) && !cased(in[i+1:])
}

func caseIgnorable(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) ||
		strings.ContainsRune("'.:·’‘․﹒＇．﹕：", r)
}

// asciiPunctuation is string.punctuation.
const asciiPunctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

// normalizeAnswer is TriviaQA's: lower case, no articles, no punctuation, single spaces.
func normalizeAnswer(s string) string {
	s = lower(strings.ReplaceAll(s, "_", " "))
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune(asciiPunctuation+"‘’´`", r) {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.FieldsFunc(withoutArticles(s), isSpace), " ")
}

// withoutArticles puts a space in the place of the words a, an and the.
func withoutArticles(s string) string {
	in := []rune(s)
	var b strings.Builder
	for i := 0; i < len(in); {
		j := i
		for j < len(in) && isWord(in[j]) == isWord(in[i]) {
			j++
		}
		switch w := string(in[i:j]); w {
		case "a", "an", "the":
			b.WriteByte(' ')
		default:
			b.WriteString(w)
		}
		i = j
	}
	return b.String()
}
