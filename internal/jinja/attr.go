package jinja

import (
	"math"
	"strings"
	"unicode/utf8"
)

func (x *attribute) eval(s *state, sc *scope) any {
	v := x.x.eval(s, sc)
	defer s.line(x.line)
	return s.attribute(v, x.name)
}

// attribute returns v.name: a method or, if there is none, an item of a dict.
func (s *state) attribute(v any, name string) any {
	s.spend(1)
	if x, ok := s.own(v, name); ok {
		return x
	}
	d, isDict := v.(*dict)
	if refused[attributesOf(v)][name] || strings.HasPrefix(name, "__") {
		what := "an attribute"
		if kindOf(v) != "" {
			what = "a method"
		}
		fail("%s has %s %q in Python, which is not supported", typeName(v), what, name)
	}
	if isDict {
		if y, ok := d.named(name); ok {
			return y
		}
	}
	return &undefined{"'" + name + "'"}
}

// own returns an attribute that is not an item.
func (s *state) own(v any, name string) (any, bool) {
	switch x := v.(type) {
	case *undefined:
		fail("%s is undefined, and has no %q", x.what, name)
	case *namespace:
		return x.vars.named(name)
	case *loop:
		return x.get(name)
	case *cycler:
		return x.get(name)
	case *group:
		switch name {
		case "grouper":
			return x.key, true
		case "list":
			return x.items, true
		}
	}
	if _, ok := s.methods[kindOf(v)][name]; ok {
		return &method{v, name}, true
	}
	return nil, false
}

func (x *index) eval(s *state, sc *scope) any {
	v := x.x.eval(s, sc)
	if sl, ok := x.at.(*sliceExpr); ok {
		defer s.line(x.line)
		return s.slice(v, sl, sc, x.folded)
	}
	at := x.at.eval(s, sc)
	defer s.line(x.line)
	return s.item(v, at)
}

// item returns v[at]: an item or, if there is none, an attribute.
func (s *state) item(v, at any) any {
	s.spend(1)
	if u, ok := v.(*undefined); ok {
		fail("%s is undefined, and has no items", u.what)
	}
	if d, ok := v.(*dict); ok {
		if !s.hashable(at, 0) {
			return &undefined{"an item"} // as where there is none: Jinja catches the error
		}
		if y, ok := d.get(s, at); ok {
			return y
		}
	}
	if name, ok := at.(text); ok {
		return s.attribute(v, name.s)
	}
	if n, ok := numeric(at); ok && n.whole && n.big == nil {
		if y, ok := s.nth(v, n.i); ok {
			return y
		}
	}
	return &undefined{"an item"}
}

// nth returns an item of a text or list, counted from its end if n is negative.
func (s *state) nth(v any, n int64) (any, bool) {
	var all []any
	switch x := v.(type) {
	case text:
		return s.character(x, n)
	case *ranged:
		if n < 0 {
			n += int64(x.n)
		}
		return x.start + n*x.step, n >= 0 && n < int64(x.n)
	case *list:
		all = x.items
	case *tuple, *group:
		all = tupleItems(x)
	}
	if n < 0 {
		n += int64(len(all))
	}
	if n < 0 || n >= int64(len(all)) {
		return nil, false
	}
	return all[n], true
}

func (s *state) character(t text, n int64) (any, bool) {
	s.spend(1 + len(t.s)/16)
	if n < 0 {
		n += int64(utf8.RuneCountInString(t.s))
	}
	for i, r := range t.s {
		if n == 0 {
			return t.cut(i, i+utf8.RuneLen(r)), true
		}
		n--
	}
	return nil, false
}

func (*sliceExpr) eval(*state, *scope) any {
	fail("a slice outside of an index is not supported")
	return nil
}

// slice returns v[from:to:step].
func (s *state) slice(v any, x *sliceExpr, sc *scope, folded bool) any {
	bound := func(e expr) any {
		if e == nil {
			return nil
		}
		return e.eval(s, sc)
	}
	from, to, step := bound(x.from), bound(x.to), bound(x.step)
	for _, bound := range []any{from, to, step} {
		if !isBound(bound) && folded {
			return &undefined{"a slice"}
		} else if !isBound(bound) {
			fail("a slice from, to or by %s", typeName(bound))
		}
	}
	switch x := v.(type) {
	case text:
		r := s.runes(x)
		var b builder
		for _, i := range s.sliced(len(r), from, to, step) {
			b.add(r[i])
		}
		s.made(b.len())
		return b.text()
	case *tuple, *group:
		return &tuple{s.picked(tupleItems(x), from, to, step)}
	case *list:
		return &list{s.picked(x.items, from, to, step)}
	case *ranged:
		first, last, by := bounds(x.n, from, to, step)
		return &ranged{x.start + int64(first)*x.step, x.start + int64(last)*x.step, x.step * int64(by),
			count(first, last, by)}
	case *undefined:
		fail("%s is undefined, and has no items", x.what)
	}
	if !folded {
		fail("%s has no slices", typeName(v))
	}
	return &undefined{"a slice"}
}

// isBound reports whether a slice may begin or end at v.
func isBound(v any) bool {
	n, ok := numeric(v)
	return v == nil || ok && n.whole
}

func (s *state) picked(items []any, from, to, step any) []any {
	at := s.sliced(len(items), from, to, step)
	s.made(16 * len(at))
	some := make([]any, len(at))
	for i, j := range at {
		some[i] = items[j]
	}
	return some
}

// sliced returns the indices that a slice of n items takes.
func (s *state) sliced(n int, from, to, step any) []int {
	first, last, by := bounds(n, from, to, step)
	c := count(first, last, by)
	s.made(8 * c)
	at := make([]int, c)
	for i := range at {
		at[i] = first + i*by
	}
	return at
}

// bounds returns where a slice of n items begins and ends, and its step.
func bounds(n int, from, to, step any) (first, last, by int) {
	by = 1
	if step != nil {
		by = sized(step, "the step of a slice")
	}
	if by == 0 {
		fail("the step of a slice is zero")
	}
	low, high := 0, n // where a bound may lie
	if by < 0 {
		low, high = -1, n-1
	}
	clip := func(v any, absent int) int {
		if v == nil {
			return absent
		}
		i := sized(v, "a slice")
		if i < 0 {
			i += n
		}
		return max(low, min(high, i))
	}
	if by < 0 {
		return clip(from, high), clip(to, low), by
	}
	return clip(from, low), clip(to, high), by
}

// count returns how many items there are from first to last, which is left out.
func count[T int | int64](first, last, by T) int {
	if by < 0 {
		first, last, by = last, first, -by
	}
	if last <= first {
		return 0
	}
	return int(min((last-first-1)/by, math.MaxInt32-1)) + 1
}
