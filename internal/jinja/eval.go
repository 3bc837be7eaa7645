package jinja

import (
	"math"
	"strings"
)

func (x constant) eval(s *state, _ *scope) any {
	s.spend(1)
	return x.value
}

func (x *variable) eval(s *state, sc *scope) any {
	s.spend(1)
	return sc.get(x.name)
}

// values evaluates expressions.
func (s *state) values(list []expr, sc *scope) []any {
	items := make([]any, len(list))
	for i, x := range list {
		items[i] = x.eval(s, sc)
	}
	s.made(16 * len(items))
	return items
}

func (x *listExpr) eval(s *state, sc *scope) any  { return &list{s.values(x.items, sc)} }
func (x *tupleExpr) eval(s *state, sc *scope) any { return &tuple{s.values(x.items, sc)} }

func (x *dictExpr) eval(s *state, sc *scope) any {
	d := newDict()
	for i, k := range x.keys {
		d.set(s, k.eval(s, sc), x.values[i].eval(s, sc))
	}
	s.made(64 * len(x.keys))
	return d
}

func (x *condExpr) eval(s *state, sc *scope) any {
	switch {
	case s.truth(x.cond.eval(s, sc)):
		return x.yes.eval(s, sc)
	case x.no != nil:
		return x.no.eval(s, sc)
	}
	return &undefined{"the value of an if without else"}
}

func (x *notExpr) eval(s *state, sc *scope) any { return !s.truth(x.x.eval(s, sc)) }

func (x *comparison) eval(s *state, sc *scope) any {
	defer s.line(x.line)
	a := x.first.eval(s, sc)
	for i, op := range x.ops {
		b := x.rest[i].eval(s, sc)
		if !s.compare(op, a, b) {
			return false
		}
		a = b
	}
	return true
}

// line adds the number of a line to an error that has none.
func (s *state) line(n int) {
	switch x := recover().(type) {
	case nil:
	case failure:
		if x.err != ErrSteps && x.err != ErrRoom && !strings.HasPrefix(x.err.Error(), "line ") {
			fail("line %d: %w", n, x.err)
		}
		panic(x)
	default:
		panic(x)
	}
}

func (x *unary) eval(s *state, sc *scope) any {
	defer s.line(x.line)
	v := x.x.eval(s, sc)
	if f, ok := v.(float64); ok && x.op == "+" {
		return f
	} else if x.op == "-" {
		return s.minus(v)
	}
	return s.arithmetic(x.op, int64(0), v)
}

// minus returns -v, also of zero.
func (s *state) minus(v any) any {
	if f, ok := v.(float64); ok {
		return -f
	}
	return s.arithmetic("-", int64(0), v)
}

func (x *binary) eval(s *state, sc *scope) any {
	defer s.line(x.line)
	a := x.x.eval(s, sc)
	switch {
	case x.op == "and" && !s.truth(a), x.op == "or" && s.truth(a):
		return a
	case x.op == "and", x.op == "or":
		return x.y.eval(s, sc)
	}
	if n, ok := numeric(a); x.negated && ok && (n.sign() < 0 || n.sign() == 0 && math.Signbit(n.f)) {
		return s.minus(s.operate("**", s.minus(a), x.y.eval(s, sc)))
	}
	return s.operate(x.op, a, x.y.eval(s, sc))
}

// operate returns a op b.
func (s *state) operate(op string, a, b any) any {
	s.spend(1)
	if _, ok := a.(markup); !ok {
		_, ok = b.(markup)
		if ok {
			a = b
		}
	}
	if _, ok := a.(markup); ok {
		fail("%s cannot be changed", typeName(a))
	}
	switch {
	case op == "~":
		t := joined(s.str(a), s.str(b))
		s.made(len(t.s))
		return t
	case op == "%":
		if t, ok := a.(text); ok {
			return s.printf(t, b)
		}
	case op == "*":
		if v, ok := s.repeated(a, b); ok {
			return v
		}
		if v, ok := s.repeated(b, a); ok {
			return v
		}
	case op == "+":
		if v, ok := s.appended(a, b); ok {
			return v
		}
	}
	return s.arithmetic(op, a, b)
}

// appended returns the text or list a with b behind it.
func (s *state) appended(a, b any) (any, bool) {
	switch x := a.(type) {
	case text:
		if y, ok := b.(text); ok {
			s.made(len(x.s) + len(y.s))
			return joined(x, y), true
		}
	case *list:
		if y, ok := b.(*list); ok {
			return s.newList(append(append([]any{}, x.items...), y.items...)), true
		}
	case *tuple, *group:
		if y := tupleItems(b); y != nil {
			x := tupleItems(x)
			s.made(16 * (len(x) + len(y)))
			return &tuple{append(append([]any{}, x...), y...)}, true
		}
	}
	return nil, false
}

// repeated returns the text or list a, b times.
func (s *state) repeated(a, b any) (any, bool) {
	if x, ok := numeric(b); !ok || !x.whole {
		return nil, false
	}
	n := max(sized(b, ""), 0)
	size := func(one int) {
		if one > 0 && n > s.room/one {
			panic(failure{ErrRoom})
		}
		s.made(one * n)
	}
	items := func(list []any) []any {
		size(16 * len(list))
		var all []any
		for range n {
			if len(list) == 0 {
				break
			}
			all = append(all, list...)
		}
		return all
	}
	switch x := a.(type) {
	case text:
		if size(len(x.s)); x.s == "" {
			return x, true
		}
		return x.repeat(n), true
	case *list:
		return &list{items(x.items)}, true
	case *tuple, *group:
		return &tuple{items(tupleItems(x))}, true
	}
	return nil, false
}

func (x *call) eval(s *state, sc *scope) any {
	f := x.f.eval(s, sc)
	a := x.args.eval(s, sc)
	defer s.line(x.line)
	return s.call(f, a)
}

// call calls what can be called.
func (s *state) call(f any, a *args) any {
	s.spend(10)
	switch f := f.(type) {
	case Func:
		return f(s, a)
	case *macro:
		return f.call(s, a)
	case *method:
		a.places(f.name)
		v := s.methods[kindOf(f.self)][f.name](s, f.self, a)
		a.done()
		return v
	case *loop:
		if f.again == nil {
			fail("loop is called, but the loop is not recursive")
		}
		items := a.take("iterable")
		a.done()
		return f.again(items, f.depth+1)
	}
	fail("%s cannot be called", typeName(f))
	return nil
}

func (x *filterExpr) eval(s *state, sc *scope) any {
	v := x.x.eval(s, sc)
	a := x.args.eval(s, sc)
	defer s.line(x.line)
	return s.filter(x.name, v, a)
}

// filter applies the filter of that name.
func (s *state) filter(name string, v any, a *args) any {
	f := s.filters[name]
	if f == nil {
		fail("the filter %q is not supported", name)
	}
	if m, ok := v.(markup); ok {
		fail("%s cannot be filtered", typeName(m))
	}
	s.costOf(v)
	v = f(s, v, a)
	a.done()
	return v
}

func (x *testExpr) eval(s *state, sc *scope) any {
	v := x.x.eval(s, sc)
	a := x.args.eval(s, sc)
	defer s.line(x.line)
	return s.test(x.name, v, a)
}

// test applies the test of that name.
func (s *state) test(name string, v any, a *args) bool {
	f := s.tests[name]
	if f == nil {
		fail("the test %q is not supported", name)
	}
	s.costOf(v)
	ok := f(s, v, a)
	a.done()
	return ok
}

// costOf spends what it takes to look at all of a text.
func (s *state) costOf(v any) {
	s.spend(2)
	if t, ok := v.(text); ok {
		s.spend(len(t.s) / 64)
	}
}
