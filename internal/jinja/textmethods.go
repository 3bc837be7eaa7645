package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

var textMethods = map[string]func(s *state, t text, a *args) any{
	"upper":      func(_ *state, t text, _ *args) any { return upper(t) },
	"lower":      func(_ *state, t text, _ *args) any { return lower(t) },
	"capitalize": func(_ *state, t text, _ *args) any { return capitalized(t) },
	"title":      func(_ *state, t text, _ *args) any { return titled(t) },
	"swapcase":   func(_ *state, t text, _ *args) any { return swapped(t) },
	"isupper":    func(_ *state, t text, _ *args) any { return only(t.s, isUpper, isLower) },
	"islower":    func(_ *state, t text, _ *args) any { return only(t.s, isLower, isUpper) },
	"istitle":    func(_ *state, t text, _ *args) any { return isTitled(t.s) },
	"strip":      func(s *state, t text, a *args) any { return s.strip(t, a, true, true) },
	"lstrip":     func(s *state, t text, a *args) any { return s.strip(t, a, true, false) },
	"rstrip":     func(s *state, t text, a *args) any { return s.strip(t, a, false, true) },
	"startswith": func(s *state, t text, a *args) any { return affix(s, t, a, strings.HasPrefix) },
	"endswith":   func(s *state, t text, a *args) any { return affix(s, t, a, strings.HasSuffix) },
	"removeprefix": func(_ *state, t text, a *args) any {
		return t.from(len(t.s) - len(strings.TrimPrefix(t.s, a.text("prefix").s)))
	},
	"removesuffix": func(_ *state, t text, a *args) any { return t.cut(0, len(strings.TrimSuffix(t.s, a.text("suffix").s))) },
	"find":         func(s *state, t text, a *args) any { return s.where(t, a, strings.Index) },
	"rfind":        func(s *state, t text, a *args) any { return s.where(t, a, strings.LastIndex) },
	"index":        func(s *state, t text, a *args) any { return found(s.where(t, a, strings.Index)) },
	"rindex":       func(s *state, t text, a *args) any { return found(s.where(t, a, strings.LastIndex)) },
	"count": func(s *state, t text, a *args) any {
		sub := a.text("sub")
		part, _, ok := s.part(t, a)
		if !ok {
			return int64(0)
		}
		return int64(strings.Count(part.s, sub.s))
	},
	"replace": func(s *state, t text, a *args) any {
		return s.replaced(t, a.text("old"), a.text("new"), a.integer("count", -1))
	},
	"join":   func(s *state, t text, a *args) any { return s.join(t, s.each(a.take("iterable")), false) },
	"split":  func(s *state, t text, a *args) any { return s.texts(s.split(t, a, text.splitBy, text.fields)) },
	"rsplit": func(s *state, t text, a *args) any { return s.texts(s.split(t, a, text.splitLast, text.lastFields)) },
	"splitlines": func(s *state, t text, a *args) any {
		s.made(32 * strings.Count(t.s, "\n"))
		return s.texts(t.lines(a.integer("keepends", 0) != 0))
	},
	"partition": func(_ *state, t text, a *args) any {
		sep := separator(a.text("sep"))
		if i := strings.Index(t.s, sep.s); i >= 0 {
			return &tuple{[]any{t.cut(0, i), sep, t.from(i + len(sep.s))}}
		}
		return &tuple{[]any{t, text{}, text{}}}
	},
	"rpartition": func(_ *state, t text, a *args) any {
		sep := separator(a.text("sep"))
		if i := strings.LastIndex(t.s, sep.s); i >= 0 {
			return &tuple{[]any{t.cut(0, i), sep, t.from(i + len(sep.s))}}
		}
		return &tuple{[]any{text{}, text{}, t}}
	},
	"zfill": func(s *state, t text, a *args) any {
		sign := 0
		if t.s != "" && strings.IndexByte("+-", t.s[0]) >= 0 {
			sign = 1
		}
		return joined(t.cut(0, sign), s.padding(plain("0"), a.width(), t), t.from(sign))
	},
	"ljust":  func(s *state, t text, a *args) any { n := a.width(); return joined(t, s.padding(a.fill(), n, t)) },
	"rjust":  func(s *state, t text, a *args) any { n := a.width(); return joined(s.padding(a.fill(), n, t), t) },
	"center": func(s *state, t text, a *args) any { n := a.width(); return s.centred(t, n, a.fill()) },
	"format": func(s *state, t text, a *args) any { return s.formatted(t, a) },
}

// isTitled is Python's istitle.
func isTitled(t string) bool {
	found, within := false, false
	for _, r := range t {
		first := isUpper(r) || unicode.IsTitle(r)
		if first && within || isLower(r) && !within {
			return false
		}
		within = isCased(r)
		found = found || within
	}
	return found
}

// width and fill take the arguments of methods that make a text wider.
func (a *args) width() int { return sized(a.take("width"), "the argument width") }

func (a *args) fill() text {
	v, ok := a.optional("fillchar")
	if !ok {
		return plain(" ")
	}
	t, ok := v.(text)
	if !ok || utf8.RuneCountInString(t.s) != 1 {
		fail("the character to fill with is %s, not one character", typeName(v))
	}
	return t
}

// padding returns what makes t as wide as width.
func (s *state) padding(with text, width int, t text) text {
	n := max(0, width-utf8.RuneCountInString(t.s))
	if n > s.room/4 {
		panic(failure{ErrRoom})
	}
	return with.repeat(n)
}

// centred puts a text between spaces, as Python does.
func (s *state) centred(t text, width int, with text) text {
	n := utf8.RuneCountInString(s.padding(with, width, t).s)
	left := n/2 + n&width&1
	return joined(with.repeat(left), t, with.repeat(n-left))
}

// strip removes white space, or the characters of the argument.
func (s *state) strip(t text, a *args, left, right bool) text {
	is := isSpace
	if v, ok := a.optional("chars"); ok && v != nil {
		set, ok := v.(text)
		if !ok {
			fail("the characters to remove are %s", typeName(v))
		}
		s.made(4 * len(set.s))
		chars := map[rune]bool{}
		for _, r := range set.s {
			chars[r] = true
		}
		is = func(r rune) bool { return chars[r] }
	}
	if left {
		t = t.trimLeft(is)
	}
	if right {
		t = t.trimRight(is)
	}
	return t
}

// part takes the arguments start and end of methods that look at a part of a text. It
// returns the part, how many characters are before it, and whether there is one.
func (s *state) part(t text, a *args) (part text, at int, ok bool) {
	from, to := a.or("start", nil), a.or("end", nil)
	if from == nil && to == nil {
		return t, 0, true
	}
	if !isBound(from) || !isBound(to) {
		fail("the bounds are %s and %s, not ints", typeName(from), typeName(to))
	}
	r := s.runes(t)
	first, last, _ := bounds(len(r), from, to, nil)
	n := max(0, last-first)
	if from != nil && sized(from, "") > len(r) {
		return text{}, 0, false
	}
	return joined(r[first : first+n]...), first, to == nil || n > 0 || endOf(len(r), to) >= first
}

// endOf is the place of the bound to in a text of n characters.
func endOf(n int, to any) int {
	i := sized(to, "")
	if i < 0 {
		i += n
	}
	return i
}

// affix tells whether t has the argument, or one of a tuple, at its end or beginning.
func affix(s *state, t text, a *args, has func(s, affix string) bool) bool {
	v := a.take("prefix")
	options := []any{v}
	if x := tupleItems(v); x != nil {
		options = x
	}
	part, _, found := s.part(t, a)
	for _, o := range options {
		o, ok := o.(text)
		if !ok {
			fail("a beginning or end of a text is %s", typeName(v))
		}
		s.spend(1 + len(o.s)/256)
		if found && has(part.s, o.s) {
			return true
		}
	}
	return false
}

// where returns where in t the argument is, in characters.
func (s *state) where(t text, a *args, index func(s, sub string) int) int64 {
	sub := a.text("sub")
	part, before, ok := s.part(t, a)
	if !ok {
		return -1
	}
	i := index(part.s, sub.s)
	if i < 0 {
		return -1
	}
	return int64(before + utf8.RuneCountInString(part.s[:i]))
}

func found(at int64) int64 {
	if at < 0 {
		fail("index: the text does not have that part")
	}
	return at
}

func separator(sep text) text {
	if sep.s == "" {
		fail("the separator is empty")
	}
	return sep
}

// replaced is Python's replace.
func (s *state) replaced(t, old, with text, most int) text {
	n := strings.Count(t.s, old.s)
	if most >= 0 {
		n = min(n, most)
	}
	if len(with.s) > 0 && n > s.room/len(with.s) {
		panic(failure{ErrRoom})
	}
	s.made(len(t.s) + n*len(with.s))
	return t.replace(old.s, with, most)
}

// join puts texts together. Others are printed if that is wanted, else refused.
func (s *state) join(sep text, items []any, print bool) text {
	var b builder
	for i, v := range items {
		t, ok := v.(text)
		if !ok && !print {
			fail("join: an item is %s", typeName(v))
		} else if !ok {
			t = s.str(v)
		}
		if i > 0 {
			b.add(sep)
		}
		b.add(t)
		s.made(len(sep.s) + len(t.s))
	}
	return b.text()
}

// texts returns a list of texts.
func (s *state) texts(parts []text) *list {
	items := make([]any, len(parts))
	for i, p := range parts {
		s.made(48 + len(p.s))
		items[i] = p
	}
	return &list{items}
}

// split takes the arguments of split and cuts t with one of two functions: no separator
// is white space.
func (s *state) split(t text, a *args, by func(t text, sep string, most int) []text, fields func(t text, most int) []text) []text {
	v := a.or("sep", nil)
	most := a.integer("maxsplit", -1)
	if most >= 0 {
		most++
	}
	if v == nil {
		s.made(32 * wordCount(t.s))
		return fields(t, most)
	}
	sep, ok := v.(text)
	if !ok {
		fail("the separator is %s", typeName(v))
	}
	s.made(32 * strings.Count(t.s, separator(sep).s))
	return by(t, sep.s, most)
}

// wordCount returns how many words there are between white space.
func wordCount(t string) (n int) {
	within := false
	for _, r := range t {
		space := isSpace(r)
		if !space && !within {
			n++
		}
		within = !space
	}
	return n
}
