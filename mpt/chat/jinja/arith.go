package jinja

import (
	"math"
	"math/bits"
	"slices"
	"strings"
)

// numeric returns the number that a value is; whole says that it is an int or a bool.
func numeric(v any) (i int64, f float64, whole, ok bool) {
	switch x := v.(type) {
	case bool:
		return asInt(x), float64(asInt(x)), true, true
	case int64:
		return x, float64(x), true, true
	case float64:
		return 0, x, false, true
	}
	return 0, 0, false, false
}

// arithmetic returns what Python makes of two numbers.
func arithmetic(op string, a, b any) any {
	i, x, wholeA, okA := numeric(a)
	j, y, wholeB, okB := numeric(b)
	switch {
	case !okA || !okB:
		fail("%s %s %s is not possible", typeName(a), op, typeName(b))
	case (op == "/" || op == "//" || op == "%") && y == 0:
		fail("division by zero")
	case wholeA && wholeB && op != "/" && !(op == "**" && j < 0):
		return whole(op, i, j)
	}
	var z float64
	switch op {
	case "+":
		z = x + y
	case "-":
		z = x - y
	case "*":
		z = x * y
	case "/":
		z = x / y
	case "//":
		z = math.Floor(x / y)
	case "%":
		if z = math.Mod(x, y); z != 0 && (z < 0) != (y < 0) {
			z += y
		}
	case "**":
		if z = math.Pow(x, y); math.IsNaN(z) || math.IsInf(z, 0) {
			fail("the power of %s is not supported", floatText(x))
		}
	}
	return z
}

// whole is arithmetic of integers, which must fit 64 bits.
func whole(op string, i, j int64) any {
	var k int64
	fits := true
	switch op {
	case "+":
		k = i + j
		fits = (k > i) == (j > 0)
	case "-":
		k = i - j
		fits = (k < i) == (j > 0)
	case "*":
		k, fits = product(i, j)
	case "//":
		k = i / j
		if i%j != 0 && (i < 0) != (j < 0) {
			k--
		}
		fits = !(i == math.MinInt64 && j == -1)
	case "%":
		if k = i % j; k != 0 && (k < 0) != (j < 0) {
			k += j
		}
	case "**":
		k = 1
		for n := int64(0); n < j && fits; n++ {
			if k, fits = product(k, i); i == 0 || i == 1 || i == -1 && n > 1 {
				return smallPower(i, j)
			}
		}
	}
	if !fits {
		fail("integers of more than 64 bits are not supported")
	}
	return k
}

// smallPower returns 0, 1 or -1 to the power of j, which is at least 1.
func smallPower(i, j int64) any {
	if i == -1 && j%2 == 0 {
		return int64(1)
	}
	return i
}

func product(i, j int64) (int64, bool) {
	if i == math.MinInt64 || j == math.MinInt64 {
		return 0, i == 0 || j == 0
	}
	hi, lo := bits.Mul64(uint64(max(i, -i)), uint64(max(j, -j)))
	return i * j, hi == 0 && lo <= math.MaxInt64
}

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
	if i, x, wa, ok := numeric(a); ok {
		j, y, wb, ok := numeric(b)
		return ok && (wa && wb && i == j || !(wa && wb) && x == y)
	}
	switch x := a.(type) {
	case nil:
		return b == nil
	case string:
		y, ok := b.(string)
		if ok && len(x) == len(y) {
			s.spend(len(x) / 256)
		}
		return ok && x == y
	case markup:
		fail("%s cannot be compared", typeName(a))
	case *undefined:
		s.defined(a)
		_, ok := b.(*undefined)
		return ok
	case *list:
		y, ok := b.(*list)
		return ok && same(x.items, y.items)
	case *tuple:
		y, ok := b.(*tuple)
		return ok && same(x.items, y.items)
	case *dict:
		y, ok := b.(*dict)
		if !ok || len(x.keys) != len(y.keys) {
			return false
		}
		for i, k := range x.keys {
			if v, ok := y.get(s, k); !ok || !s.equalAt(x.values[i], v, depth+1) {
				return false
			}
		}
		return true
	case *namespace, *macro, *loop:
		return a == b
	}
	fail("%s cannot be compared", typeName(a))
	return false
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
	return !nan && map[string]bool{"<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0}[op]
}

// order returns a negative number if a < b, 0 if they are equal. Nothing has an order
// with what is not a number.
func (s *state) order(a, b any, depth int) (c int, nan bool) {
	s.spend(1)
	if depth > maxDepth {
		fail("a value is nested deeper than %d", maxDepth)
	}
	if i, x, wa, ok := numeric(a); ok {
		if j, y, wb, ok := numeric(b); ok {
			switch {
			case wa && wb && i < j, !(wa && wb) && x < y:
				return -1, false
			case wa && wb && i > j, !(wa && wb) && x > y:
				return 1, false
			}
			return 0, x != x || y != y
		}
	}
	if x, ok := a.(string); ok {
		if y, ok := b.(string); ok {
			s.spend(min(len(x), len(y)) / 256)
			return strings.Compare(x, y), false
		}
	}
	x, y := items(a), items(b)
	if _, list1 := a.(*list); x == nil || y == nil || list1 != isList(b) {
		fail("%s and %s have no order", typeName(a), typeName(b))
	}
	for i := range min(len(x), len(y)) {
		if !s.equalAt(x[i], y[i], depth+1) {
			return s.order(x[i], y[i], depth+1)
		}
	}
	return len(x) - len(y), false
}

func isList(v any) bool { _, ok := v.(*list); return ok }

// items returns those of a list or tuple, and nil for others.
func items(v any) []any {
	switch x := v.(type) {
	case *list:
		return append([]any{}, x.items...)
	case *tuple:
		return append([]any{}, x.items...)
	}
	return nil
}

// contains is "v in in".
func (s *state) contains(in, v any) bool {
	switch x := in.(type) {
	case string:
		t, ok := v.(string)
		if !ok {
			fail("%s cannot be in a text", typeName(v))
		}
		s.spend(1 + len(x)/64)
		return strings.Contains(x, t)
	case *dict:
		_, ok := x.get(s, v)
		return ok
	}
	for _, y := range s.each(in) {
		if s.equal(y, v) {
			return true
		}
	}
	return false
}
