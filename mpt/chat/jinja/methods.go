package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// methodFunc is a method of a value. It takes its arguments from a.
type methodFunc func(s *state, self any, a *args) any

// kindOf returns what the tables below call the type of a value.
func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "text"
	case *dict:
		return "dict"
	case *list, *tuple, *group:
		return "list"
	}
	return ""
}

// refused are methods of Python that templates may not call. Those that would change a
// value are not possible in Jinja's sandbox either.
var refused = map[string]map[string]bool{
	"text": words("casefold encode expandtabs format_map isidentifier isprintable istitle maketrans translate"),
	"dict": words("clear copy fromkeys pop popitem setdefault update"),
	"list": words("append clear copy extend insert pop remove reverse sort"),
}

func words(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

// newMethods returns the methods of each kind.
func newMethods() map[string]map[string]methodFunc {
	texts := map[string]methodFunc{}
	for name, f := range textMethods {
		texts[name] = func(s *state, self any, a *args) any {
			t := self.(string)
			s.spend(1 + len(t)/64)
			v := f(s, t, a)
			if t, ok := v.(string); ok {
				s.made(len(t))
			}
			return v
		}
	}
	for name, is := range characters {
		texts[name] = func(s *state, self any, _ *args) any {
			t := self.(string)
			s.spend(1 + len(t)/16)
			return t != "" && strings.IndexFunc(t, func(r rune) bool { return !is(r) }) < 0
		}
	}
	return map[string]map[string]methodFunc{"dict": dictMethods, "list": listMethods, "text": texts}
}

var dictMethods = map[string]methodFunc{
	"get": func(s *state, self any, a *args) any {
		if v, ok := self.(*dict).get(s, a.take("key")); ok {
			a.or("default", nil)
			return v
		}
		return a.or("default", nil)
	},
	"items":  func(s *state, self any, _ *args) any { return s.pairs(self.(*dict)) },
	"keys":   func(s *state, self any, _ *args) any { return s.newList(self.(*dict).keys) },
	"values": func(s *state, self any, _ *args) any { return s.newList(self.(*dict).values) },
}

// pairs returns the keys of a dict with their values.
func (s *state) pairs(d *dict) *list {
	pairs := make([]any, len(d.keys))
	for i, k := range d.keys {
		pairs[i] = &tuple{[]any{k, d.values[i]}}
	}
	s.made(48 * len(pairs))
	return &list{pairs}
}

var listMethods = map[string]methodFunc{
	"index": func(s *state, self any, a *args) any {
		v := a.take("value")
		for i, x := range s.each(self) {
			if s.equal(x, v) {
				return int64(i)
			}
		}
		fail("index: the list does not have that item")
		return nil
	},
	"count": func(s *state, self any, a *args) any {
		v, n := a.take("value"), int64(0)
		for _, x := range s.each(self) {
			n += asInt(s.equal(x, v))
		}
		return n
	},
}

// characters are the questions that hold for a text if they hold for all its characters.
var characters = map[string]func(rune) bool{
	"isalpha": unicode.IsLetter,
	"isdigit": unicode.IsDigit, "isdecimal": unicode.IsDigit, "isnumeric": unicode.IsNumber,
	"isalnum": func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) },
	"isspace": isSpace,
	"isascii": func(r rune) bool { return r < 0x80 },
}

var textMethods = map[string]func(s *state, t string, a *args) any{
	"upper":      func(_ *state, t string, _ *args) any { return upper(t) },
	"lower":      func(_ *state, t string, _ *args) any { return strings.ToLower(t) },
	"capitalize": func(_ *state, t string, _ *args) any { return capitalized(t) },
	"title": func(_ *state, t string, _ *args) any {
		return titled(t, func(r rune) bool { return !unicode.IsLetter(r) })
	},
	"swapcase": func(_ *state, t string, _ *args) any {
		return strings.Map(func(r rune) rune {
			if unicode.IsUpper(r) {
				return unicode.ToLower(r)
			}
			return unicode.ToUpper(r)
		}, t)
	},
	"isupper":    func(_ *state, t string, _ *args) any { return t == strings.ToUpper(t) && t != strings.ToLower(t) },
	"islower":    func(_ *state, t string, _ *args) any { return t == strings.ToLower(t) && t != strings.ToUpper(t) },
	"strip":      func(s *state, t string, a *args) any { return s.strip(t, a, true, true) },
	"lstrip":     func(s *state, t string, a *args) any { return s.strip(t, a, true, false) },
	"rstrip":     func(s *state, t string, a *args) any { return s.strip(t, a, false, true) },
	"startswith": func(s *state, t string, a *args) any { return affix(s, t, a, strings.HasPrefix) },
	"endswith":   func(s *state, t string, a *args) any { return affix(s, t, a, strings.HasSuffix) },
	"removeprefix": func(_ *state, t string, a *args) any {
		return strings.TrimPrefix(t, a.text("prefix"))
	},
	"removesuffix": func(_ *state, t string, a *args) any {
		return strings.TrimSuffix(t, a.text("suffix"))
	},
	"find":   func(_ *state, t string, a *args) any { return place(t, strings.Index(t, a.text("sub"))) },
	"rfind":  func(_ *state, t string, a *args) any { return place(t, strings.LastIndex(t, a.text("sub"))) },
	"index":  func(_ *state, t string, a *args) any { return found(place(t, strings.Index(t, a.text("sub")))) },
	"rindex": func(_ *state, t string, a *args) any { return found(place(t, strings.LastIndex(t, a.text("sub")))) },
	"count":  func(_ *state, t string, a *args) any { return int64(strings.Count(t, a.text("sub"))) },
	"replace": func(s *state, t string, a *args) any {
		return s.replaced(t, a.text("old"), a.text("new"), a.integer("count", -1))
	},
	"join":       func(s *state, t string, a *args) any { return s.join(t, s.each(a.take("iterable")), false) },
	"split":      func(s *state, t string, a *args) any { return s.texts(split(t, a)) },
	"rsplit":     func(s *state, t string, a *args) any { return s.texts(rsplit(t, a)) },
	"splitlines": func(s *state, t string, a *args) any { return s.texts(splitLines(t)) },
	"partition": func(_ *state, t string, a *args) any {
		sep := separator(a.text("sep"))
		if before, after, ok := strings.Cut(t, sep); ok {
			return &tuple{[]any{before, sep, after}}
		}
		return &tuple{[]any{t, "", ""}}
	},
	"rpartition": func(_ *state, t string, a *args) any {
		sep := separator(a.text("sep"))
		if i := strings.LastIndex(t, sep); i >= 0 {
			return &tuple{[]any{t[:i], sep, t[i+len(sep):]}}
		}
		return &tuple{[]any{"", "", t}}
	},
	"zfill": func(s *state, t string, a *args) any {
		sign := ""
		if t != "" && strings.IndexByte("+-", t[0]) >= 0 {
			sign, t = t[:1], t[1:]
		}
		return sign + s.padding("0", a.integer("width", 0)-len(sign), t) + t
	},
	"ljust": func(s *state, t string, a *args) any { return t + s.padding(" ", a.integer("width", 0), t) },
	"rjust": func(s *state, t string, a *args) any { return s.padding(" ", a.integer("width", 0), t) + t },
	"center": func(s *state, t string, a *args) any {
		return s.centred(t, a.integer("width", 0))
	},
	"format": func(s *state, t string, a *args) any { return s.formatted(t, a) },
}

// padding returns what makes t as wide as width.
func (s *state) padding(with string, width int, t string) string {
	n := max(0, width-utf8.RuneCountInString(t))
	if n > s.room {
		panic(failure{ErrRoom})
	}
	return strings.Repeat(with, n)
}

// centred puts a text between spaces, as Python does.
func (s *state) centred(t string, width int) string {
	n := len(s.padding(" ", width, t))
	left := n/2 + n&width&1
	return strings.Repeat(" ", left) + t + strings.Repeat(" ", n-left)
}

// upper writes a text in capitals, of which ß takes two.
func upper(t string) string { return strings.ReplaceAll(strings.ToUpper(t), "ß", "SS") }

func capitalized(t string) string {
	_, n := utf8.DecodeRuneInString(t)
	return strings.ToTitle(t[:n]) + strings.ToLower(t[n:])
}

// titled begins words, which follow characters that are between them, with a capital.
func titled(t string, between func(rune) bool) string {
	begin := true
	return strings.Map(func(r rune) rune {
		first := begin
		if begin = between(r); first {
			return unicode.ToTitle(r)
		}
		return unicode.ToLower(r)
	}, t)
}

// strip removes white space, or the characters of the argument.
func (s *state) strip(t string, a *args, left, right bool) string {
	is := isSpace
	if v, ok := a.optional("chars"); ok && v != nil {
		set, ok := v.(string)
		if !ok {
			fail("the characters to remove are %s", typeName(v))
		}
		s.made(4 * len(set))
		chars := map[rune]bool{}
		for _, r := range set {
			chars[r] = true
		}
		is = func(r rune) bool { return chars[r] }
	}
	if left {
		t = strings.TrimLeftFunc(t, is)
	}
	if right {
		t = strings.TrimRightFunc(t, is)
	}
	return t
}

// affix tells whether t has the argument, or one of a tuple, at its end or beginning.
func affix(s *state, t string, a *args, has func(s, affix string) bool) bool {
	v := a.take("prefix")
	options := []any{v}
	if x, ok := v.(*tuple); ok {
		options = x.items
	}
	for _, o := range options {
		o, ok := o.(string)
		if !ok {
			fail("a beginning or end of a text is %s", typeName(v))
		}
		s.spend(1 + len(o)/256)
		if has(t, o) {
			return true
		}
	}
	return false
}

// place turns a place in bytes into one in characters.
func place(t string, at int) int64 {
	if at < 0 {
		return -1
	}
	return int64(utf8.RuneCountInString(t[:at]))
}

func found(at int64) int64 {
	if at < 0 {
		fail("index: the text does not have that part")
	}
	return at
}

func separator(sep string) string {
	if sep == "" {
		fail("the separator is empty")
	}
	return sep
}

// replaced is Python's replace.
func (s *state) replaced(t, old, with string, most int) string {
	n := strings.Count(t, old)
	if most >= 0 {
		n = min(n, most)
	}
	if len(with) > 0 && n > s.room/len(with) {
		panic(failure{ErrRoom})
	}
	s.made(len(t) + n*len(with))
	return strings.Replace(t, old, with, most)
}

// join puts texts together. Others are printed if that is wanted, else refused.
func (s *state) join(sep string, items []any, print bool) string {
	var b strings.Builder
	for i, v := range items {
		t, ok := v.(string)
		if !ok && !print {
			fail("join: an item is %s", typeName(v))
		} else if !ok {
			t = s.str(v)
		}
		if i > 0 {
			b.WriteString(sep)
		}
		b.WriteString(t)
		s.made(len(sep) + len(t))
	}
	return b.String()
}

// texts returns a list of texts.
func (s *state) texts(parts []string) *list {
	items := make([]any, len(parts))
	for i, p := range parts {
		s.made(16 + len(p))
		items[i] = p
	}
	return &list{items}
}

// separatorAndCount takes the arguments of split: no separator is white space.
func separatorAndCount(a *args) (sep string, most int) {
	if v := a.or("sep", nil); v != nil {
		t, ok := v.(string)
		if !ok {
			fail("the separator is %s", typeName(v))
		}
		sep = separator(t)
	}
	if most = a.integer("maxsplit", -1); most >= 0 {
		most++
	}
	return sep, most
}

func split(t string, a *args) []string {
	sep, most := separatorAndCount(a)
	switch {
	case sep != "" && most < 0:
		return strings.Split(t, sep)
	case sep != "":
		return strings.SplitN(t, sep, most)
	case most < 0:
		return strings.FieldsFunc(t, isSpace)
	}
	var parts []string
	for t = strings.TrimLeftFunc(t, isSpace); t != "" && len(parts)+1 < most; t = strings.TrimLeftFunc(t, isSpace) {
		n := strings.IndexFunc(t, isSpace)
		if n < 0 {
			n = len(t)
		}
		parts, t = append(parts, t[:n]), t[n:]
	}
	if t != "" {
		parts = append(parts, t)
	}
	return parts
}

func rsplit(t string, a *args) []string {
	sep, most := separatorAndCount(a)
	if sep == "" {
		if most >= 0 {
			fail("rsplit with a count, but without a separator, is not supported")
		}
		return strings.FieldsFunc(t, isSpace)
	}
	parts := strings.Split(t, sep)
	if n := len(parts) - most + 1; most >= 0 && n > 1 {
		parts = append([]string{strings.Join(parts[:n], sep)}, parts[n:]...)
	}
	return parts
}

// lineEnds are what ends a line in Python, beside \r\n.
const lineEnds = "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029"

func splitLines(t string) (lines []string) {
	t = strings.ReplaceAll(t, "\r\n", "\n")
	for t != "" {
		n := strings.IndexAny(t, lineEnds)
		if n < 0 {
			return append(lines, t)
		}
		_, size := utf8.DecodeRuneInString(t[n:])
		lines, t = append(lines, t[:n]), t[n+size:]
	}
	return lines
}
