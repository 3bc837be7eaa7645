package jinja

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// filterFunc is a filter: it takes a value and its arguments.
type filterFunc func(s *state, v any, a *args) any

// newFilters returns all filters, of which this file has those of single values.
func newFilters() map[string]filterFunc {
	filters := map[string]filterFunc{
		"abs": func(_ *state, v any, _ *args) any {
			if _, x, _, ok := numeric(v); ok && x >= 0 {
				return arithmetic("+", int64(0), v)
			}
			return arithmetic("-", int64(0), v)
		},
		"attr": func(s *state, v any, a *args) any {
			name := a.text("name")
			if _, ok := v.(*dict); ok && s.methods["dict"][name] == nil {
				return &undefined{"the attribute '" + name + "' of a dict"}
			}
			return s.attribute(v, name)
		},
		"capitalize": onText(func(t string) any { return capitalized(t) }),
		"center":     func(s *state, v any, a *args) any { return s.centred(s.str(v), a.integer("width", 80)) },
		"d":          filterDefault,
		"default":    filterDefault,
		"float":      filterFloat,
		"format": func(s *state, v any, a *args) any {
			t := s.printf(s.str(v), &tuple{a.list})
			a.next = len(a.list)
			return t
		},
		"indent":  filterIndent,
		"int":     filterInt,
		"length":  filterLength,
		"count":   filterLength,
		"lower":   onText(func(t string) any { return strings.ToLower(t) }),
		"replace": filterReplace,
		"round":   filterRound,
		"safe":    func(s *state, v any, _ *args) any { return markup(s.str(v)) },
		"string":  func(s *state, v any, _ *args) any { return s.str(v) },
		"title": onText(func(t string) any {
			return titled(t, func(r rune) bool { return isSpace(r) || strings.ContainsRune("-({[<", r) })
		}),
		"tojson":    filterJSON,
		"trim":      func(s *state, v any, a *args) any { return s.strip(s.str(v), a, true, true) },
		"upper":     onText(func(t string) any { return upper(t) }),
		"wordcount": onText(func(t string) any { return int64(len(wordsOf(t))) }),
	}
	maps.Copy(filters, listFilters)
	return filters
}

// onText makes a filter of a function of texts.
func onText(f func(t string) any) filterFunc {
	return func(s *state, v any, _ *args) any {
		t := s.str(v)
		s.made(len(t))
		return f(t)
	}
}

// wordsOf cuts a text where Python's \w ends.
func wordsOf(t string) []string {
	return strings.FieldsFunc(t, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}

func filterDefault(_ *state, v any, a *args) any {
	absent := a.or("default_value", "")
	if falsy := truth(a.or("boolean", false)); isUndefined(v) || falsy && !truth(v) {
		return absent
	}
	return v
}

func filterLength(s *state, v any, _ *args) any {
	switch x := v.(type) {
	case string:
		s.spend(1 + len(x)/64)
		return int64(utf8.RuneCountInString(x))
	case *undefined:
		return int64(0)
	}
	return int64(len(s.each(v)))
}

func filterReplace(s *state, v any, a *args) any {
	old, with := s.str(a.take("old")), s.str(a.take("new"))
	most := int64(-1)
	if n := a.or("count", nil); n != nil {
		var ok bool
		if most, _, ok, _ = numeric(n); !ok {
			fail("replace: the count is %s", typeName(n))
		}
	}
	return s.replaced(s.str(v), old, with, int(most))
}

// filterIndent puts spaces before lines that are not empty.
func filterIndent(s *state, v any, a *args) any {
	width := a.or("width", int64(4))
	with, ok := width.(string)
	if n, _, whole, _ := numeric(width); !ok && whole {
		with = s.padding(" ", int(n), "")
	} else if !ok {
		fail("indent: the width is %s", typeName(width))
	}
	first, blank := truth(a.or("first", false)), truth(a.or("blank", false))
	lines := strings.Split(s.str(v), "\n")
	s.made(len(lines) * len(with))
	for i := range lines {
		if i == 0 && first || i > 0 && (blank || lines[i] != "") {
			lines[i] = with + lines[i]
		}
	}
	t := strings.Join(lines, "\n")
	s.made(len(t))
	return t
}

func filterInt(s *state, v any, a *args) any {
	absent, base := a.or("default", int64(0)), a.integer("base", 10)
	switch x := v.(type) {
	case bool:
		return asInt(x)
	case int64:
		return x
	case float64:
		if math.Abs(x) < 1<<63 {
			return int64(x)
		}
	case string:
		if base != 10 {
			fail("int: the base %d is not supported", base)
		}
		t := strings.ReplaceAll(strings.TrimSpace(x), "_", "")
		if n, err := strconv.ParseInt(t, 10, 64); err == nil {
			return n
		}
		if f, err := strconv.ParseFloat(t, 64); err == nil && math.Abs(f) < 1<<63 {
			return int64(f)
		}
	}
	return absent
}

func filterFloat(_ *state, v any, a *args) any {
	absent := a.or("default", 0.0)
	if _, x, _, ok := numeric(v); ok {
		return x
	}
	if t, ok := v.(string); ok {
		if x, err := strconv.ParseFloat(strings.TrimSpace(t), 64); err == nil {
			return x
		}
	}
	return absent
}

// filterRound rounds as Python does: halves to the even neighbour, of the number
// that the float is.
func filterRound(_ *state, v any, a *args) any {
	digits, how := a.integer("precision", 0), a.or("method", "common")
	_, x, whole, ok := numeric(v)
	if !ok || digits < 0 || digits > 15 {
		fail("round: %s with %d digits is not supported", typeName(v), digits)
	}
	unit := math.Pow(10, float64(digits))
	switch how {
	case "ceil":
		return math.Ceil(x*unit) / unit
	case "floor":
		return math.Floor(x*unit) / unit
	case "common":
		if whole {
			return v
		}
		r, err := strconv.ParseFloat(strconv.FormatFloat(x, 'f', digits, 64), 64)
		if err != nil {
			fail("round: %v", err)
		}
		return r
	}
	fail("round: the method is not supported")
	return nil
}

// folded returns what values are compared by: texts without their case.
func (s *state) folded(v any, caseSensitive bool) any {
	if t, ok := v.(string); ok && !caseSensitive {
		s.made(len(t))
		return strings.ToLower(t)
	}
	return v
}

// sorted returns items in the order of their keys.
func (s *state) sorted(items []any, reverse bool, key func(any) any) []any {
	type keyed struct{ key, item any }
	all := make([]keyed, len(items))
	for i, v := range items {
		all[i] = keyed{key(v), v}
	}
	s.made(32 * len(items))
	slices.SortStableFunc(all, func(a, b keyed) int {
		c, _ := s.order(a.key, b.key, 0)
		if reverse {
			return -c
		}
		return c
	})
	out := make([]any, len(all))
	for i, k := range all {
		out[i] = k.item
	}
	return out
}
