package jinja

import (
	"math/big"
	"strings"
)

// methodFunc is a method of a value. It takes its arguments from a.
type methodFunc func(s *state, self any, a *args) any

// kindOf returns what the tables below call the type of a value.
func kindOf(v any) string {
	switch v.(type) {
	case text:
		return "text"
	case *dict:
		return "dict"
	case *list, *tuple, *group, *ranged:
		return "list"
	}
	return ""
}

// attributesOf is kindOf for the table of what is refused.
func attributesOf(v any) string {
	switch v.(type) {
	case int64, *big.Int, bool:
		return "int"
	case float64:
		return "float"
	case *tuple, *group:
		return "tuple"
	case *ranged:
		return "range"
	case *view:
		return "view"
	case *stream:
		return "stream"
	case *macro:
		return "macro"
	case markup:
		return "markup"
	case Func:
		return "function"
	}
	return kindOf(v)
}

// refused are attributes in Python that are not here. Methods that would change a
// value are not possible in Jinja's sandbox either.
var refused = map[string]map[string]bool{
	"text":     words("casefold encode expandtabs format_map isidentifier maketrans translate"),
	"dict":     words("clear copy fromkeys pop popitem setdefault update"),
	"list":     words("append clear copy extend insert pop remove reverse sort"),
	"int":      words("as_integer_ratio bit_count bit_length conjugate denominator from_bytes imag is_integer numerator real to_bytes"),
	"float":    words("as_integer_ratio conjugate fromhex hex imag is_integer real"),
	"range":    words("start step stop"),
	"view":     words("isdisjoint mapping"),
	"stream":   words("close gi_code gi_frame gi_running gi_suspended gi_yieldfrom send throw"),
	"macro":    words("arguments caller catch_kwargs catch_varargs explicit_caller name"),
	"function": words("clear copy fromkeys get items keys pop popitem setdefault update values count index start step stop current next pos reset sep used"),
	"markup": words("capitalize casefold center count encode endswith escape expandtabs find format format_map index isalnum isalpha " +
		"isascii isdecimal isdigit isidentifier islower isnumeric isprintable isspace istitle isupper join ljust lower lstrip " +
		"maketrans partition removeprefix removesuffix replace rfind rindex rjust rpartition rsplit rstrip split splitlines " +
		"startswith strip striptags swapcase title translate unescape upper zfill"),
}

func words(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

// mapping are the methods that look at each character, to write another.
var mapping = words("upper lower capitalize title swapcase")

// newMethods returns the methods of each kind.
func newMethods() map[string]map[string]methodFunc {
	texts := map[string]methodFunc{}
	for name, f := range textMethods {
		texts[name] = func(s *state, self any, a *args) any {
			t := self.(text)
			s.spend(1 + len(t.s)/64)
			if mapping[name] {
				s.mapping(t)
			}
			v := f(s, t, a)
			if t, ok := v.(text); ok {
				s.made(len(t.s))
			}
			return v
		}
	}
	for name, is := range characters {
		texts[name] = func(s *state, self any, _ *args) any {
			t := self.(text).s
			s.spend(1 + len(t)/16)
			empty := name == "isascii" || name == "isprintable"
			return (t != "" || empty) && strings.IndexFunc(t, func(r rune) bool { return !is(r) }) < 0
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
	"items": func(s *state, self any, _ *args) any { return &view{"dict_items", s.pairs(self.(*dict))} },
	"keys":  func(s *state, self any, _ *args) any { return &view{"dict_keys", self.(*dict).keys} },
	"values": func(s *state, self any, _ *args) any {
		return &view{"dict_values", self.(*dict).values}
	},
}

// pairs returns the keys of a dict with their values.
func (s *state) pairs(d *dict) []any {
	pairs := make([]any, len(d.keys))
	for i, k := range d.keys {
		pairs[i] = &tuple{[]any{k, d.values[i]}}
	}
	s.made(48 * len(pairs))
	return pairs
}

var listMethods = map[string]methodFunc{
	"index": func(s *state, self any, a *args) any {
		v, items := a.take("value"), s.each(self)
		from, to, _ := bounds(len(items), a.or("start", nil), a.or("stop", nil), nil)
		for i, x := range items[from:max(from, to)] {
			if s.equal(x, v) {
				return int64(from + i)
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
