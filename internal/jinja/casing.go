package jinja

import (
	"strings"
	"unicode"
)

// Python maps texts between capitals and small letters by Unicode's full tables.

func isLower(r rune) bool { return unicode.IsLower(r) || unicode.Is(unicode.Other_Lowercase, r) }
func isUpper(r rune) bool { return unicode.IsUpper(r) || unicode.Is(unicode.Other_Uppercase, r) }
func isCased(r rune) bool { return isLower(r) || isUpper(r) || unicode.IsTitle(r) }

// withinWords are the characters that do not matter for the case of others, beside those of some categories.
const withinWords = "'.:\u00b7\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a"

// caseIgnorable reports whether r does not matter for how a sigma is written.
func caseIgnorable(r rune) bool {
	if r < 0x80 {
		return strings.IndexByte("'.:^`", byte(r)) >= 0
	}
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) || strings.ContainsRune(withinWords, r)
}

func upperOf(r rune) string {
	if s, ok := longUpper[r]; ok {
		return s
	}
	return string(unicode.ToUpper(r))
}

func titleOf(r rune) string {
	if s, ok := longTitle[r]; ok {
		return s
	}
	if s, ok := longUpper[r]; ok && unicode.ToTitle(r) == r && !unicode.IsTitle(r) {
		return s
	}
	return string(unicode.ToTitle(r))
}

// lowerAt returns the small letter for the i-th of all.
func lowerAt(all []rune, i int) string {
	switch r := all[i]; {
	case r == 'İ':
		return "i\u0307"
	case r == 'Σ' && finalSigma(all, i):
		return "ς"
	default:
		return string(unicode.ToLower(r))
	}
}

// finalSigma reports whether the sigma at i ends a word.
func finalSigma(all []rune, i int) bool {
	j := i - 1
	for j >= 0 && caseIgnorable(all[j]) {
		j--
	}
	if j < 0 || !isCased(all[j]) {
		return false
	}
	for j = i + 1; j < len(all) && caseIgnorable(all[j]); j++ {
	}
	return j == len(all) || !isCased(all[j])
}

// recased maps each character by f, which is given all and its number.
func recased(t text, f func(all []rune, i int) string) text {
	all, n := []rune(t.s), -1
	return t.mapped(func(int, rune) string { n++; return f(all, n) })
}

func upper(t text) text {
	if t.ascii() {
		return text{strings.ToUpper(t.s), t.said}
	}
	return t.mapped(func(_ int, r rune) string { return upperOf(r) })
}

func lower(t text) text {
	if t.ascii() {
		return text{strings.ToLower(t.s), t.said}
	}
	return recased(t, lowerAt)
}

func capitalized(t text) text {
	return recased(t, func(all []rune, i int) string {
		if i == 0 {
			return titleOf(all[0])
		}
		return lowerAt(all, i)
	})
}

func swapped(t text) text {
	return recased(t, func(all []rune, i int) string {
		switch r := all[i]; {
		case isUpper(r):
			return lowerAt(all, i)
		case isLower(r):
			return upperOf(r)
		default:
			return string(r)
		}
	})
}

// titled is Python's title: what follows no letter begins a word.
func titled(t text) text {
	within := false
	return recased(t, func(all []rune, i int) string {
		first := !within
		if within = isCased(all[i]); first {
			return titleOf(all[i])
		}
		return lowerAt(all, i)
	})
}

// titledWords is Jinja's filter title: words follow white space and some brackets.
func titledWords(t text) text {
	between := func(r rune) bool { return isSpace(r) || strings.ContainsRune("-({[<", r) }
	var b builder
	for t.s != "" {
		n := strings.IndexFunc(t.s, between)
		if n == 0 {
			n = len(t.s) - len(strings.TrimLeftFunc(t.s, between))
		} else if n < 0 {
			n = len(t.s)
		}
		first := true
		for _, part := range splitFirst(t.cut(0, n)) {
			if first {
				b.add(upper(part))
			} else {
				b.add(lower(part))
			}
			first = false
		}
		t = t.from(n)
	}
	return b.text()
}

// splitFirst cuts t behind its first character.
func splitFirst(t text) []text {
	for i := range t.s {
		if i > 0 {
			return []text{t.cut(0, i), t.from(i)}
		}
	}
	return []text{t}
}

// only reports whether a text has characters of one case, is, and none of the others.
func only(t string, is, other func(rune) bool) bool {
	found := false
	for _, r := range t {
		if other(r) || unicode.IsTitle(r) {
			return false
		}
		found = found || is(r)
	}
	return found
}

// among reports whether r is in a table of ranges.
func among(table [][2]rune, r rune) bool {
	for _, x := range table {
		if r >= x[0] && r <= x[1] {
			return true
		}
	}
	return false
}

func isDigit(r rune) bool   { return unicode.IsDigit(r) || among(digitsElse, r) }
func isNumeric(r rune) bool { return unicode.IsNumber(r) || among(numbersElse, r) }
func isAlnum(r rune) bool   { return unicode.IsLetter(r) || isNumeric(r) }

// characters are the questions that hold for a text if they hold for all its characters.
var characters = map[string]func(rune) bool{
	"isalpha": unicode.IsLetter, "isdecimal": unicode.IsDigit, "isdigit": isDigit, "isnumeric": isNumeric,
	"isalnum": isAlnum, "isspace": isSpace, "isprintable": printable,
	"isascii": func(r rune) bool { return r < 0x80 },
}

// printable reports whether Python's repr leaves a character as it is.
func printable(r rune) bool {
	return r == ' ' || unicode.IsGraphic(r) && !unicode.Is(unicode.Zs, r)
}
