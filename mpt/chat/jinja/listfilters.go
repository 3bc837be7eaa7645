package jinja

import (
	"slices"
	"strconv"
	"strings"
)

// listFilters are the filters of lists.
var listFilters = map[string]filterFunc{
	"batch":    filterBatch,
	"dictsort": filterDictSort,
	"first": func(s *state, v any, _ *args) any {
		for _, x := range s.each(v) {
			return x
		}
		return &undefined{"the first item of an empty list"}
	},
	"last": func(s *state, v any, _ *args) any {
		if items := s.each(v); len(items) > 0 {
			return items[len(items)-1]
		}
		return &undefined{"the last item of an empty list"}
	},
	"groupby": filterGroupBy,
	"items": func(s *state, v any, _ *args) any {
		switch x := v.(type) {
		case *dict:
			return s.pairs(x)
		case *undefined:
			return &list{}
		}
		fail("items: %s is no dict", typeName(v))
		return nil
	},
	"join": func(s *state, v any, a *args) any {
		sep := s.str(a.or("d", ""))
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

// dotted returns an item of an item ..., which a path such as "a.b.0" names.
func (s *state) dotted(v, path any) any {
	switch p := path.(type) {
	case int64:
		return s.item(v, p)
	case string:
		for part := range strings.SplitSeq(p, ".") {
			if n, err := strconv.ParseInt(part, 10, 64); err == nil && n >= 0 {
				v = s.item(v, n)
			} else {
				v = s.item(v, part)
			}
		}
		return v
	}
	fail("the attribute is %s, not a name", typeName(path))
	return nil
}

// attributes returns those of all items; none is the items themselves.
func (s *state) attributes(items []any, path any) []any {
	if path == nil {
		return items
	}
	out := make([]any, len(items))
	for i, v := range items {
		out[i] = s.dotted(v, path)
	}
	s.made(16 * len(out))
	return out
}

func filterMap(s *state, v any, a *args) any {
	if !truth(v) {
		return s.nothing(a)
	}
	items := s.each(v)
	out := make([]any, len(items))
	if path, ok := a.named1("attribute"); ok {
		absent, hasAbsent := a.named1("default")
		for i, x := range s.attributes(items, path) {
			if out[i] = x; hasAbsent && isUndefined(x) {
				out[i] = absent
			}
		}
		return s.newList(out)
	}
	name := a.text("filter")
	rest := a.rest()
	for i, x := range items {
		out[i] = s.filter(name, x, rest())
	}
	return s.newList(out)
}

// nothing is what map, select and their like make of all that is false, none and 0
// included; their arguments do not matter then.
func (s *state) nothing(a *args) any {
	a.rest()
	return s.newList(nil)
}

// rest takes all arguments that are left, and returns a function that makes a copy of
// them.
func (a *args) rest() func() *args {
	list, names, named := a.list[a.next:], a.names, a.named
	a.next, a.names, a.named = len(a.list), nil, nil
	return func() *args { return &args{list: list, names: slices.Clone(names), named: slices.Clone(named)} }
}

// chosen returns the items for which a test, or their truth, is as wanted.
func (s *state) chosen(v any, a *args, byAttribute, want bool) any {
	if !truth(v) {
		return s.nothing(a)
	}
	items := s.each(v)
	of := func(v any) any { return v }
	if byAttribute {
		path := a.take("attribute")
		of = func(v any) any { return s.dotted(v, path) }
	}
	holds := truth
	if a.next < len(a.list) {
		name, rest := testNamed(a.text("test")), a.rest()
		holds = func(v any) bool { return s.test(name, v, rest()) }
	}
	var out []any
	for _, x := range items {
		if s.spend(1); holds(of(x)) == want {
			out = append(out, x)
		}
	}
	return s.newList(out)
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
	if t, ok := path.(string); ok && strings.Contains(t, ",") {
		fail("sort by several attributes is not supported")
	}
	return s.newList(s.sorted(s.each(v), reverse, func(x any) any {
		if path != nil {
			x = s.dotted(x, path)
		}
		return s.folded(x, fold)
	}))
}

func filterDictSort(s *state, v any, a *args) any {
	d, ok := v.(*dict)
	if !ok {
		fail("dictsort: %s is no dict", typeName(v))
	}
	fold, by, reverse := truth(a.or("case_sensitive", false)), a.or("by", "key"), truth(a.or("reverse", false))
	at := map[any]int{"key": 0, "value": 1}
	place, ok := at[by]
	if !ok {
		fail("dictsort: by is neither key nor value")
	}
	return s.newList(s.sorted(s.pairs(d).items, reverse, func(x any) any { return s.folded(x.(*tuple).items[place], fold) }))
}

func filterUnique(s *state, v any, a *args) any {
	fold, path := truth(a.or("case_sensitive", false)), a.or("attribute", nil)
	seen, out := map[any]bool{}, []any(nil)
	items := s.each(v)
	for i, x := range s.attributes(items, path) {
		s.spend(1)
		if h := s.hash(s.folded(x, fold), 0); !seen[h] {
			seen[h] = true
			out = append(out, items[i])
		}
	}
	return s.newList(out)
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
	for i := range keys {
		c, _ := s.order(s.folded(keys[i], fold), s.folded(keys[best], fold), 0)
		if largest && c > 0 || !largest && c < 0 {
			best = i
		}
	}
	return items[best]
}

func filterSum(s *state, v any, a *args) any {
	path, sum := a.or("attribute", nil), a.or("start", int64(0))
	for _, x := range s.attributes(s.each(v), path) {
		sum = s.operate("+", sum, x)
	}
	return sum
}

func filterReverse(s *state, v any, _ *args) any {
	if t, ok := v.(string); ok {
		r := s.runes(t)
		slices.Reverse(r)
		return string(r)
	}
	items := slices.Clone(s.each(v))
	slices.Reverse(items)
	return s.newList(items)
}

func filterBatch(s *state, v any, a *args) any {
	n := a.integer("linecount", 0)
	fill := a.or("fill_with", nil)
	if n < 1 || n > s.room/16 {
		fail("batch: %d items a batch", n)
	}
	var out []any
	for part := range slices.Chunk(s.each(v), n) {
		part = slices.Clone(part)
		for fill != nil && len(part) < n {
			part = append(part, fill)
		}
		out = append(out, s.newList(part))
	}
	return s.newList(out)
}

func filterSlice(s *state, v any, a *args) any {
	n := a.integer("slices", 0)
	fill := a.or("fill_with", nil)
	items := s.each(v)
	if n < 1 || n > s.room/16 {
		fail("slice: %d slices", n)
	}
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
	return s.newList(out)
}

func filterGroupBy(s *state, v any, a *args) any {
	path, absent, fold := a.take("attribute"), a.or("default", nil), truth(a.or("case_sensitive", false))
	key := func(x any) any {
		k := s.dotted(x, path)
		if isUndefined(k) && absent != nil {
			k = absent
		}
		return s.folded(k, fold)
	}
	var out []any
	var last *list
	var lastKey any
	for _, x := range s.sorted(s.each(v), false, key) {
		if k := key(x); last == nil || !s.equal(k, lastKey) {
			own := s.dotted(x, path)
			if isUndefined(own) && absent != nil {
				own = absent
			}
			last, lastKey = &list{}, k
			out = append(out, &group{own, last})
		}
		last.items = append(last.items, x)
	}
	return s.newList(out)
}
