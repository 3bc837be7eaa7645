package jinja

import (
	"math/big"
	"slices"
	"strings"
)

// equal is ==.
func (s *state) equal(a, b any) bool { return s.equalAt(a, b, 0) }

func (s *state) equalAt(a, b any, depth int) bool {
	s.spend(1)
	if depth > maxDepth {
		fail("a value is nested deeper than %d", maxDepth)
	}
	same := func(x, y []any) bool {
		return slices.EqualFunc(x, y, func(a, b any) bool { return s.equalAt(a, b, depth+1) })
	}
	switch x := a.(type) {
	case bool, int64, *big.Int, float64:
		n, _ := numeric(x)
		m, ok := numeric(b)
		if !ok {
			return false
		}
		c, nan := n.cmp(m)
		return c == 0 && !nan
	case nil:
		return b == nil
	case text:
		y, ok := b.(text)
		if ok && len(x.s) == len(y.s) {
			s.spend(len(x.s) / 256)
		}
		return ok && x.s == y.s
	case markup:
		fail("%s cannot be compared", typeName(a))
	case *undefined:
		s.defined(a)
		return isUndefined(b)
	case *list:
		y, ok := b.(*list)
		return ok && same(x.items, y.items)
	case *tuple, *group:
		y := tupleItems(b)
		return y != nil && same(tupleItems(a), y)
	case *dict:
		y, ok := b.(*dict)
		return ok && s.equalDicts(x, y, depth)
	case *ranged:
		y, ok := b.(*ranged)
		return ok && x.n == y.n && (x.n == 0 || x.start == y.start && (x.n == 1 || x.step == y.step))
	case *view:
		return s.equalViews(x, b)
	case *namespace, *macro, *loop, *stream, *cycler:
		return a == b
	}
	fail("%s cannot be compared", typeName(a))
	return false
}

func (s *state) equalDicts(x, y *dict, depth int) bool {
	if len(x.keys) != len(y.keys) {
		return false
	}
	for i, k := range x.keys {
		if v, ok := y.get(s, k); !ok || !s.equalAt(x.values[i], v, depth+1) {
			return false
		}
	}
	return true
}

// equalViews refuses what Python compares as sets.
func (s *state) equalViews(x *view, b any) bool {
	y, ok := b.(*view)
	if ok && x != y && x.name != "dict_values" && y.name != "dict_values" {
		fail("%s cannot be compared", typeName(x))
	}
	return ok && x == y
}

// tupleItems returns those of a tuple, and nil for others.
func tupleItems(v any) []any {
	switch x := v.(type) {
	case *tuple:
		if x.items == nil {
			return []any{}
		}
		return x.items
	case *group:
		return []any{x.key, x.items}
	}
	return nil
}

// compare returns a op b.
func (s *state) compare(op string, a, b any) bool {
	switch op {
	case "==", "!=":
		s.defined(b)
		return s.equal(a, b) == (op == "==")
	case "in":
		return s.contains(b, a)
	case "not in":
		return !s.contains(b, a)
	}
	c, nan := s.order(a, b, 0)
	if nan {
		return false
	}
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

// order returns a negative number if a < b, 0 if they are equal. Nothing has an order
// with what is not a number.
func (s *state) order(a, b any, depth int) (c int, nan bool) {
	s.spend(1)
	if depth > maxDepth {
		fail("a value is nested deeper than %d", maxDepth)
	}
	if n, ok := numeric(a); ok {
		if m, ok := numeric(b); ok {
			return n.cmp(m)
		}
	}
	if x, ok := a.(text); ok {
		if y, ok := b.(text); ok {
			s.spend(min(len(x.s), len(y.s)) / 256)
			return strings.Compare(x.s, y.s), false
		}
	}
	if x, ok := a.(*list); ok {
		if y, ok := b.(*list); ok {
			return s.orderItems(x.items, y.items, depth)
		}
	}
	x, y := tupleItems(a), tupleItems(b)
	if x == nil || y == nil {
		fail("%s and %s have no order", typeName(a), typeName(b))
	}
	return s.orderItems(x, y, depth)
}

func (s *state) orderItems(x, y []any, depth int) (c int, nan bool) {
	s.spend((len(x) + len(y)) / 64)
	for i := range min(len(x), len(y)) {
		if !s.equalAt(x[i], y[i], depth+1) {
			return s.order(x[i], y[i], depth+1)
		}
	}
	return len(x) - len(y), false
}

// contains is "v in in".
func (s *state) contains(in, v any) bool {
	switch x := in.(type) {
	case text:
		t, ok := v.(text)
		if !ok {
			fail("%s cannot be in a text", typeName(v))
		}
		s.spend(1 + len(x.s)/64)
		return strings.Contains(x.s, t.s)
	case *dict:
		_, ok := x.get(s, v)
		return ok
	case *stream: // what is behind the item that was found stays
		for y := x.take(1); len(y) > 0; y = x.take(1) {
			if s.equal(y[0], v) {
				return true
			}
		}
		return false
	}
	for _, y := range s.each(in) {
		if s.equal(y, v) {
			return true
		}
	}
	return false
}
