package tokenizer

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// longRun is the number of combining characters in a row from which on nfc
// does not trust x/text, which breaks runs of more than 30 with a U+034F.
// (The figure is lower because one character may decompose into several.)
const longRun = 8

// nfc returns s, which is valid UTF-8, in Unicode normalisation form C.
func nfc(s string) string {
	if norm.NFC.QuickSpanString(s) == len(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for len(s) > 0 {
		start, end := longCluster(s)
		b.WriteString(norm.NFC.String(s[:start]))
		b.WriteString(compose(s[start:end]))
		s = s[end:]
	}
	return b.String()
}

// longCluster returns the bounds of the first cluster of s that is a long run: a
// character and more than longRun others that may combine with what is before
// them. Both bounds are len(s) if there is none.
func longCluster(s string) (start, end int) {
	combining := 0
	for i := 0; i < len(s); {
		p := norm.NFC.PropertiesString(s[i:])
		if p.BoundaryBefore() {
			if combining > longRun {
				return start, i
			}
			start, combining = i, 0
		} else {
			combining++
		}
		i += max(p.Size(), 1)
	}
	if combining > longRun {
		return start, len(s)
	}
	return len(s), len(s)
}

// mark is a character with its canonical combining class.
type mark struct {
	r     rune
	class uint8
}

// compose returns the normalisation form C of s by the algorithm of UAX #15,
// without a limit on the length of runs: decompose, sort each run of combining
// characters by class, and join characters with their starter where nothing
// of their class or higher stands between.
func compose(s string) string {
	marks := decompose(s)
	out := marks[:0]
	starter := -1
	for _, m := range marks {
		if starter >= 0 && !blocked(out, starter, m) {
			if r, ok := pair(out[starter].r, m.r); ok {
				out[starter].r = r
				continue
			}
		}
		if m.class == 0 {
			starter = len(out)
		}
		out = append(out, m)
	}
	b := make([]byte, 0, len(s))
	for _, m := range out {
		b = utf8.AppendRune(b, m.r)
	}
	return string(b)
}

// blocked reports whether the end of out keeps m from joining the starter.
func blocked(out []mark, starter int, m mark) bool {
	last := len(out) - 1
	return last > starter && out[last].class >= m.class
}

// decompose returns the canonical decomposition of s in canonical order.
func decompose(s string) []mark {
	marks := make([]mark, 0, utf8.RuneCountInString(s))
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		p := norm.NFD.PropertiesString(s[i:])
		if p.Decomposition() == nil && !hangul(r) {
			marks = append(marks, mark{r, p.CCC()})
		} else {
			for _, r := range norm.NFD.String(s[i : i+n]) {
				marks = append(marks, mark{r, norm.NFD.PropertiesString(string(r)).CCC()})
			}
		}
		i += n
	}
	sortMarks(marks)
	return marks
}

// hangul reports whether r is a syllable that decomposes by a formula, without
// an entry in the tables.
func hangul(r rune) bool { return 0xAC00 <= r && r <= 0xD7A3 }

// sortMarks puts each run of combining characters into canonical order.
func sortMarks(marks []mark) {
	for i := 0; i < len(marks); {
		end := i + 1
		for end < len(marks) && marks[end].class != 0 {
			end++
		}
		run := marks[i:end] // a starter, if there is one, stays first: its class is 0
		slices.SortStableFunc(run, func(a, b mark) int { return int(a.class) - int(b.class) })
		i = end
	}
}

// pair returns the primary composite of a and b, if there is one.
func pair(a, b rune) (rune, bool) {
	var buf [2 * utf8.UTFMax]byte
	in := utf8.AppendRune(utf8.AppendRune(buf[:0], a), b)
	var joined [4 * utf8.UTFMax]byte
	out := norm.NFC.Append(joined[:0], in...)
	r, n := utf8.DecodeRune(out)
	return r, n == len(out)
}
