package jinja

import (
	"strings"
	"unicode/utf8"
)

// text is a text of a template. Said has a byte for each of s, which is not zero where
// it came from a message, whatever was done to it since; "" says that none did.
type text struct{ s, said string }

// plain is a text of the template's own.
func plain(s string) text { return text{s: s} }

// saidBy is a text that came from a message.
func saidBy(s string) text { return text{s, strings.Repeat("\x01", len(s))} }

// cut returns the bytes from i to j.
func (t text) cut(i, j int) text {
	if t.said == "" {
		return text{s: t.s[i:j]}
	}
	return text{t.s[i:j], t.said[i:j]}
}

// from returns the bytes from i on.
func (t text) from(i int) text { return t.cut(i, len(t.s)) }

// own reports whether nothing of it came from a message.
func (t text) own() bool { return strings.Trim(t.said, "\x00") == "" }

// like returns s as a text that came from where t did. It is for what has no
// characters in common with t.
func (t text) like(s string) text {
	if t.own() {
		return plain(s)
	}
	return saidBy(s)
}

// runes calls f for the characters, each as a text and with its place.
func (t text) runes(f func(i int, r rune, c text)) {
	for i, r := range t.s {
		n := 1
		if r >= utf8.RuneSelf {
			_, n = utf8.DecodeRuneInString(t.s[i:])
		}
		f(i, r, t.cut(i, i+n))
	}
}

// mapped puts f of each character in its place.
func (t text) mapped(f func(i int, r rune) string) text {
	var b strings.Builder
	var said []byte
	for i, r := range t.s {
		e := f(i, r)
		b.WriteString(e)
		for n := len(e); n > 0 && t.said != ""; n-- {
			said = append(said, t.said[i])
		}
	}
	return text{b.String(), string(said)}
}

// ascii reports whether all characters are those of ASCII, which have a byte each.
func (t text) ascii() bool {
	for i := range len(t.s) {
		if t.s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// trimLeft and trimRight remove the characters for which is holds.
func (t text) trimLeft(is func(rune) bool) text {
	return t.from(len(t.s) - len(strings.TrimLeftFunc(t.s, is)))
}

func (t text) trimRight(is func(rune) bool) text {
	return t.cut(0, len(strings.TrimRightFunc(t.s, is)))
}

// builder puts texts together.
type builder struct {
	b    strings.Builder
	said []byte // of the text so far, or less where the rest is the template's own
}

func (b *builder) len() int { return b.b.Len() }

// str adds a text of the template's own.
func (b *builder) str(s string) { b.b.WriteString(s) }

func (b *builder) add(t text) {
	if t.said != "" {
		b.said = append(append(b.said, make([]byte, b.b.Len()-len(b.said))...), t.said...)
	}
	b.b.WriteString(t.s)
}

func (b *builder) text() text {
	t := text{s: b.b.String()}
	if len(b.said) > 0 {
		t.said = string(append(b.said, make([]byte, len(t.s)-len(b.said))...))
	}
	return t
}

// joined returns texts behind one another.
func joined(list ...text) text {
	var b builder
	for _, t := range list {
		b.add(t)
	}
	return b.text()
}

// repeat returns t n times.
func (t text) repeat(n int) text { return text{strings.Repeat(t.s, n), strings.Repeat(t.said, n)} }

// splitBy cuts t at each sep, of which there is at least a character; most is how many
// parts there may be, if it is not negative.
func (t text) splitBy(sep string, most int) (parts []text) {
	for most < 0 || len(parts)+1 < most {
		i := strings.Index(t.s, sep)
		if i < 0 {
			break
		}
		parts, t = append(parts, t.cut(0, i)), t.from(i+len(sep))
	}
	return append(parts, t)
}

// splitLast is splitBy from the end.
func (t text) splitLast(sep string, most int) []text {
	var parts []text
	for most < 0 || len(parts)+1 < most {
		i := strings.LastIndex(t.s, sep)
		if i < 0 {
			break
		}
		parts, t = append(parts, t.from(i+len(sep))), t.cut(0, i)
	}
	return reversed(append(parts, t))
}

func reversed[T any](list []T) []T {
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list
}

// fields cuts t at white space, from the left; most is as for splitBy, and the last
// part may then hold white space.
func (t text) fields(most int) (parts []text) {
	for t = t.trimLeft(isSpace); t.s != ""; t = t.trimLeft(isSpace) {
		n := strings.IndexFunc(t.s, isSpace)
		if n < 0 || most >= 0 && len(parts)+1 >= most {
			n = len(t.s)
		}
		parts, t = append(parts, t.cut(0, n)), t.from(n)
	}
	return parts
}

// lastFields is fields from the right.
func (t text) lastFields(most int) (parts []text) {
	for t = t.trimRight(isSpace); t.s != ""; t = t.trimRight(isSpace) {
		n := 0
		if i := strings.LastIndexFunc(t.s, isSpace); i >= 0 && (most < 0 || len(parts)+1 < most) {
			_, size := utf8.DecodeRuneInString(t.s[i:])
			n = i + size
		}
		parts, t = append(parts, t.from(n)), t.cut(0, n)
	}
	return reversed(parts)
}

// lineEnds are what ends a line in Python, beside \r\n.
const lineEnds = "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029"

// lines cuts t where Python's splitlines does, with or without what ends each line.
func (t text) lines(ends bool) (lines []text) {
	for t.s != "" {
		n := strings.IndexAny(t.s, lineEnds)
		if n < 0 {
			return append(lines, t)
		}
		_, size := utf8.DecodeRuneInString(t.s[n:])
		if strings.HasPrefix(t.s[n:], "\r\n") {
			size = 2
		}
		line := t.cut(0, n)
		if ends {
			line = t.cut(0, n+size)
		}
		lines, t = append(lines, line), t.from(n+size)
	}
	return lines
}

// replace is Python's replace; most is as there.
func (t text) replace(old string, with text, most int) text {
	if old == "" {
		return t.between(with, most)
	}
	var b builder
	for ; most != 0; most-- {
		i := strings.Index(t.s, old)
		if i < 0 {
			break
		}
		b.add(t.cut(0, i))
		b.add(with)
		t = t.from(i + len(old))
	}
	b.add(t)
	return b.text()
}

// between puts with before each character and behind the last.
func (t text) between(with text, most int) text {
	var b builder
	t.runes(func(_ int, _ rune, c text) {
		if most != 0 {
			b.add(with)
			most--
		}
		b.add(c)
	})
	if most != 0 {
		b.add(with)
	}
	return b.text()
}

// escaped adds t with what f returns in the place of the characters for which that is
// not "".
func (b *builder) escaped(t text, f func(r rune) string) {
	done := 0
	for i, r := range t.s {
		e := f(r)
		if e == "" {
			continue
		}
		b.add(t.cut(done, i))
		done = i + 1
		if r >= utf8.RuneSelf {
			_, size := utf8.DecodeRuneInString(t.s[i:])
			done = i + size
		}
		b.add(t.cut(i, done).like(e))
	}
	b.add(t.from(done))
}
