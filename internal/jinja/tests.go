package jinja

import (
	"slices"
	"strings"
)

// testFunc is a test, which stands behind "is".
type testFunc func(s *state, v any, a *args) bool

// newTests returns all of them.
func newTests() map[string]testFunc {
	is := func(f func(v any) bool) testFunc {
		return func(_ *state, v any, _ *args) bool { return f(v) }
	}
	compare := func(op string) testFunc {
		return func(s *state, v any, a *args) bool { return s.compare(op, v, a.take("other")) }
	}
	remains := func(s *state, v, by any, want int64) bool { return s.equal(s.operate("%", v, by), want) }
	tests := map[string]testFunc{
		"defined":   is(func(v any) bool { _, ok := v.(*undefined); return !ok }),
		"undefined": is(func(v any) bool { _, ok := v.(*undefined); return ok }),
		"none":      is(func(v any) bool { return v == nil }),
		"boolean":   is(func(v any) bool { _, ok := v.(bool); return ok }),
		"true":      is(func(v any) bool { return v == true }),
		"false":     is(func(v any) bool { return v == false }),
		"integer":   is(func(v any) bool { n, ok := numeric(v); _, isBool := v.(bool); return ok && n.whole && !isBool }),
		"float":     is(func(v any) bool { _, ok := v.(float64); return ok }),
		"number":    is(func(v any) bool { _, ok := numeric(v); return ok }),
		"string":    is(isText),
		"mapping":   is(func(v any) bool { _, ok := v.(*dict); return ok }),
		"sequence":  is(func(v any) bool { return kindOf(v) != "" || isText(v) || isUndefined(v) }),
		"iterable":  is(isIterable),
		"callable": is(func(v any) bool {
			switch v.(type) {
			case Func, *macro, *method, *loop, *undefined:
				return true
			}
			return false
		}),
		"odd":         func(s *state, v any, _ *args) bool { return remains(s, v, int64(2), 1) },
		"even":        func(s *state, v any, _ *args) bool { return remains(s, v, int64(2), 0) },
		"divisibleby": func(s *state, v any, a *args) bool { return remains(s, v, a.take("num"), 0) },
		"sameas":      func(s *state, v any, a *args) bool { return s.same(v, a.take("other")) },
		"in":          func(s *state, v any, a *args) bool { return s.contains(a.take("seq"), v) },
		"upper":       func(s *state, v any, _ *args) bool { return only(s.str(v).s, isUpper, isLower) },
		"lower":       func(s *state, v any, _ *args) bool { return only(s.str(v).s, isLower, isUpper) },
		"filter": func(s *state, v any, _ *args) bool {
			name, _ := v.(text)
			return s.filters[name.s] != nil || slices.Contains(otherFilters, name.s)
		},
		"test": func(s *state, v any, _ *args) bool { name, _ := v.(text); return s.tests[testNamed(name.s)] != nil },
	}
	for names, op := range map[string]string{"eq equalto": "==", "ne": "!=", "lt lessthan": "<", "le": "<=",
		"gt greaterthan": ">", "ge": ">="} {
		for _, name := range strings.Fields(names) {
			tests[name] = compare(op)
		}
	}
	return tests
}

func isText(v any) bool {
	switch v.(type) {
	case text, markup:
		return true
	}
	return false
}

func isIterable(v any) bool {
	switch v.(type) {
	case *view, *stream, *loop:
		return true
	}
	return kindOf(v) != "" || isText(v) || isUndefined(v)
}

func isUndefined(v any) bool { _, ok := v.(*undefined); return ok }

// same reports whether two values are one. What is equal and small is, in Python.
func (s *state) same(a, b any) bool {
	switch a.(type) {
	case nil, bool:
		return a == b
	case int64, float64, text:
		return typeName(a) == typeName(b) && s.equal(a, b)
	case Func, markup:
		return false
	}
	return a == b
}
