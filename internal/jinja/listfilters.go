package jinja

import (
	"math/big"
	"slices"
	"strings"
)

// listFilters are the filters of lists.
var listFilters = map[string]filterFunc{
	"batch":    filterBatch,
	"dictsort": filterDictSort,
	"first": func(s *state, v any, _ *args) any {
		if g, ok := v.(*stream); ok {
			v = &list{g.take(1)}
		}
		for _, x := range s.each(v) {
			return x
		}
		return &undefined{"the first item of an empty list"}
	},
	"last": func(s *state, v any, _ *args) any {
		if _, ok := v.(*stream); ok {
			fail("last: %s", typeName(v))
		}
		if items := s.each(v); len(items) > 0 {
			return items[len(items)-1]
		}
		return &undefined{"the last item of an empty list"}
	},
	"groupby": filterGroupBy,
	"items": func(s *state, v any, _ *args) any {
		return later("items", func() []any {
			switch x := v.(type) {
			case *dict:
				return s.pairs(x)
			case *undefined:
				return nil
			}
			fail("items: %s is no dict", typeName(v))
			return nil
		})
	},
	"join": func(s *state, v any, a *args) any {
		sep := s.str(a.or("d", text{}))
		return s.join(sep, s.attributes(s.each(v), a.or("attribute", nil)), true)
	},
	"list":       func(s *state, v any, _ *args) any { return s.newList(s.each(v)) },
	"map":        filterMap,
	"max":        func(s *state, v any, a *args) any { return s.extreme(v, a, true) },
	"min":        func(s *state, v any, a *args) any { return s.extreme(v, a, false) },
	"reject":     func(s *state, v any, a *args) any { return s.chosen(v, a, false, false) },
	"rejectattr": func(s *state, v any, a *args) any { return s.chosen(v, a, true, false) },
	"reverse":    filterReverse,
	"select":     func(s *state, v any, a *args) any { return s.chosen(v, a, false, true) },
	"selectattr": func(s *state, v any, a *args) any { return s.chosen(v, a, true, true) },
	"slice":      filterSlice,
	"sort":       filterSort,
	"sum":        filterSum,
	"unique":     filterUnique,
}

// dotted returns an item of an item ..., which a path such as "a.b.0" names; if it is
// not there and absent is not nil, that.
func (s *state) dotted(v, path, absent any) any {
	step := func(at any) {
		if v = s.item(v, at); absent != nil && isUndefined(v) {
			v = absent
		}
	}
	switch p := path.(type) {
	case nil:
	case int64, bool, *big.Int:
		step(p)
	case text:
		for part := range strings.SplitSeq(p.s, ".") {
			if n, ok := readInt(part, 10); ok && strings.Trim(part, decimal) == "" {
				step(n)
			} else {
				step(plain(part))
			}
		}
	default:
		fail("the attribute is %s, not a name", typeName(path))
	}
	return v
}

// attributes returns those of all items; none is the items themselves.
func (s *state) attributes(items []any, path any) []any {
	if path == nil {
		return items
	}
	out := make([]any, len(items))
	for i, v := range items {
		out[i] = s.dotted(v, path, nil)
	}
	s.made(16 * len(out))
	return out
}

func filterMap(s *state, v any, a *args) any {
	r := a.rest()
	return later("map", func() []any {
		if !truth(v) {
			return nil
		}
		a := r()
		items := s.each(v)
		out := make([]any, len(items))
		s.made(16 * len(items))
		if path, ok := a.named1("attribute"); ok && len(a.list) == 0 {
			absent, _ := a.named1("default")
			a.done()
			for i, x := range items {
				out[i] = s.dotted(x, path, absent)
			}
			return out
		}
		name := a.text("filter").s
		rest := a.rest()
		for i, x := range items {
			out[i] = s.filter(name, x, rest())
		}
		return out
	})
}

// rest takes all arguments that are left, and returns a function that makes a copy of
// them.
func (a *args) rest() func() *args {
	list, names, named := a.list[a.next:], a.names, a.named
	a.next, a.names, a.named = len(a.list), nil, nil
	return func() *args { return &args{list: list, names: slices.Clone(names), named: slices.Clone(named)} }
}

// chosen returns the items for which a test, or their truth, is as wanted. All that is
// false, none and 0 included, has no items.
func (s *state) chosen(v any, a *args, byAttribute, want bool) any {
	r := a.rest()
	return later("select", func() (out []any) {
		if !truth(v) {
			return nil
		}
		a := r()
		of := func(v any) any { return v }
		if byAttribute {
			path := a.take("attribute")
			of = func(v any) any { return s.dotted(v, path, nil) }
		}
		holds := truth
		if a.next < len(a.list) {
			name, rest := testNamed(a.text("test").s), a.rest()
			holds = func(v any) bool { return s.test(name, v, rest()) }
		}
		for _, x := range s.each(v) {
			if s.spend(1); holds(of(x)) == want {
				out = append(out, x)
			}
		}
		s.made(16 * len(out))
		return out
	})
}

// testNamed returns the name of a test that may be spelled as an operator.
func testNamed(name string) string {
	if word, ok := map[string]string{"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}[name]; ok {
		return word
	}
	return name
}

func filterSort(s *state, v any, a *args) any {
	reverse, fold, path := truth(a.or("reverse", false)), truth(a.or("case_sensitive", false)), a.or("attribute", nil)
	paths := []any{path}
	if t, ok := path.(text); ok {
		paths = nil
		for _, p := range t.splitBy(",", -1) {
			paths = append(paths, p)
		}
	}
	return s.newList(s.sorted(s.each(v), reverse, func(x any) any {
		key := make([]any, len(paths))
		for i, p := range paths {
			key[i] = s.folded(s.dotted(x, p, nil), fold)
		}
		if len(key) == 1 {
			return key[0]
		}
		return &list{key}
	}))
}

func filterDictSort(s *state, v any, a *args) any {
	d, ok := v.(*dict)
	if !ok {
		fail("dictsort: %s is no dict", typeName(v))
	}
	fold, by, reverse := truth(a.or("case_sensitive", false)), a.or("by", plain("key")), truth(a.or("reverse", false))
	word, _ := by.(text)
	place, ok := map[string]int{"key": 0, "value": 1}[word.s]
	if !ok {
		fail("dictsort: by is neither key nor value")
	}
	return s.newList(s.sorted(s.pairs(d), reverse, func(x any) any { return s.folded(x.(*tuple).items[place], fold) }))
}

func filterUnique(s *state, v any, a *args) any {
	fold, path := truth(a.or("case_sensitive", false)), a.or("attribute", nil)
	return later("unique", func() (out []any) {
		seen := map[any]bool{}
		for _, x := range s.each(v) {
			s.spend(1)
			if h := s.hash(s.folded(s.dotted(x, path, nil), fold), 0); !seen[h] {
				seen[h] = true
				out = append(out, x)
			}
		}
		s.made(16 * len(out))
		return out
	})
}

// extreme returns the largest or the smallest item.
func (s *state) extreme(v any, a *args, largest bool) any {
	fold, path := truth(a.or("case_sensitive", false)), a.or("attribute", nil)
	items := s.each(v)
	if len(items) == 0 {
		return &undefined{"the largest or smallest of no items"}
	}
	best := 0
	keys := s.attributes(items, path)
	for i := 1; i < len(keys); i++ {
		c, nan := s.order(s.folded(keys[i], fold), s.folded(keys[best], fold), 0)
		if nan {
			continue
		}
		if largest && c > 0 || !largest && c < 0 {
			best = i
		}
	}
	return items[best]
}

func filterSum(s *state, v any, a *args) any {
	path, sum := a.or("attribute", nil), a.or("start", int64(0))
	if isText(sum) {
		fail("sum: it begins with a text")
	}
	for _, x := range s.attributes(s.each(v), path) {
		sum = s.operate("+", sum, x)
	}
	return sum
}

func filterReverse(s *state, v any, _ *args) any {
	switch v.(type) {
	case text:
		var b builder
		for _, c := range reversed(s.runes(v.(text))) {
			b.add(c)
		}
		return b.text()
	case *stream:
		return s.newList(reversed(slices.Clone(s.each(v))))
	}
	items := s.each(v)
	s.made(16 * len(items))
	return later("reverse", func() []any { return reversed(slices.Clone(items)) })
}

func filterBatch(s *state, v any, a *args) any {
	n := a.integer("linecount", 0)
	fill := a.or("fill_with", nil)
	return later("batch", func() []any {
		items := s.each(v)
		var out []any
		if n == 0 && len(items) > 0 {
			out = append(out, &list{})
		}
		if n <= 0 {
			n = max(1, len(items))
			fill = nil
		}
		for part := range slices.Chunk(items, n) {
			part = slices.Clone(part)
			if fill != nil && len(part) < n {
				s.made(16 * (n - len(part)))
				part = append(part, slices.Repeat([]any{fill}, n-len(part))...)
			}
			out = append(out, s.newList(part))
		}
		s.made(16 * len(out))
		return out
	})
}

func filterSlice(s *state, v any, a *args) any {
	n := a.integer("slices", 0)
	fill := a.or("fill_with", nil)
	return later("slice", func() []any {
		items := s.each(v)
		if n == 0 {
			fail("slice: 0 slices")
		}
		if n < 0 {
			return nil
		}
		s.made(32 * n)
		size, more := len(items)/n, len(items)%n
		var out []any
		for i := range n {
			from := i*size + min(i, more)
			to := from + size
			if i < more {
				to++
			}
			part := slices.Clone(items[from:to])
			if fill != nil && i >= more {
				part = append(part, fill)
			}
			out = append(out, s.newList(part))
		}
		return out
	})
}

func filterGroupBy(s *state, v any, a *args) any {
	path, absent, fold := a.take("attribute"), a.or("default", nil), truth(a.or("case_sensitive", false))
	key := func(x any) any {
		return s.folded(s.dotted(x, path, absent), fold)
	}
	var out []any
	var last *list
	var lastKey any
	for _, x := range s.sorted(s.each(v), false, key) {
		if k := key(x); last == nil || !s.equal(k, lastKey) {
			own := s.dotted(x, path, absent)
			last, lastKey = &list{}, k
			out = append(out, &group{own, last})
		}
		last.items = append(last.items, x)
	}
	return s.newList(out)
}
