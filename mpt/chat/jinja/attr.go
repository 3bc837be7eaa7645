package jinja

import "strings"

func (x *attribute) eval(s *state, sc *scope) any {
	v := x.x.eval(s, sc)
	defer s.line(x.line)
	return s.attribute(v, x.name)
}

// attribute returns v.name: a method or, if there is none, an item of a dict.
func (s *state) attribute(v any, name string) any {
	s.spend(1)
	switch x := v.(type) {
	case *undefined:
		fail("%s is undefined, and has no %q", x.what, name)
	case *namespace:
		if y, ok := x.vars[name]; ok {
			return y
		}
		return &undefined{"the namespace's " + name}
	case *loop:
		return x.get(name)
	case *group:
		switch name {
		case "grouper":
			return x.key
		case "list":
			return x.items
		}
	}
	if _, ok := s.methods[kindOf(v)][name]; ok {
		return &method{v, name}
	}
	if refused[kindOf(v)][name] || strings.HasPrefix(name, "__") {
		fail("%s has a method %q in Python, which is not supported", typeName(v), name)
	}
	if d, ok := v.(*dict); ok {
		if y, ok := d.get(s, name); ok {
			return y
		}
	}
	return &undefined{"'" + name + "'"}
}

func (x *index) eval(s *state, sc *scope) any {
	v := x.x.eval(s, sc)
	if sl, ok := x.at.(*sliceExpr); ok {
		defer s.line(x.line)
		return s.slice(v, sl, sc)
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
	switch at := at.(type) {
	case string:
		return s.attribute(v, at)
	case bool:
		return s.item(v, asInt(at))
	case int64:
		if y, ok := s.nth(v, at); ok {
			return y
		}
	}
	return &undefined{"an item"}
}

// nth returns an item of a text or list, counted from its end if n is negative.
func (s *state) nth(v any, n int64) (any, bool) {
	var all []any
	switch x := v.(type) {
	case string:
		return s.character(x, n)
	case *group:
		all = s.each(x)
	case *list:
		all = x.items
	case *tuple:
		all = x.items
	}
	if n < 0 {
		n += int64(len(all))
	}
	if n < 0 || n >= int64(len(all)) {
		return nil, false
	}
	return all[n], true
}

func (s *state) character(t string, n int64) (any, bool) {
	s.spend(1 + len(t)/16)
	if n < 0 {
		r := []rune(t)
		if n += int64(len(r)); n < 0 {
			return nil, false
		}
		return string(r[n]), true
	}
	for _, r := range t {
		if n == 0 {
			return string(r), true
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
func (s *state) slice(v any, x *sliceExpr, sc *scope) any {
	bound := func(e expr) any {
		if e == nil {
			return nil
		}
		return e.eval(s, sc)
	}
	from, to, step := bound(x.from), bound(x.to), bound(x.step)
	switch x := v.(type) {
	case string:
		r := s.runes(x)
		var b strings.Builder
		for _, i := range s.sliced(len(r), from, to, step) {
			b.WriteRune(r[i])
		}
		s.made(b.Len())
		return b.String()
	case *tuple:
		return &tuple{s.picked(x.items, from, to, step)}
	case *list:
		return &list{s.picked(x.items, from, to, step)}
	}
	return &undefined{"a slice of " + typeName(v)}
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
func (s *state) sliced(n int, from, to, step any) (at []int) {
	number := func(v any, absent int) int {
		switch x := v.(type) {
		case nil:
			return absent
		case bool:
			return int(asInt(x))
		case int64:
			return int(max(-1<<31, min(1<<31, x)))
		}
		fail("a slice from or to %s", typeName(v))
		return 0
	}
	by := number(step, 1)
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
		i := number(v, 0)
		if i < 0 {
			i += n
		}
		return max(low, min(high, i))
	}
	first, last := clip(from, low), clip(to, high)
	if by < 0 {
		first, last = clip(from, high), clip(to, low)
	}
	s.made(8 * max(0, (last-first)/by))
	for i := first; by > 0 && i < last || by < 0 && i > last; i += by {
		at = append(at, i)
	}
	return at
}
