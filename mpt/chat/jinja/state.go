package jinja

import (
	"strings"
	"unicode/utf8"
)

// state is one rendering: what it may still do.
type state struct {
	*library
	steps, room int
	calls       int // that are open
}

// library is what templates find by name. Its functions reach it by the state only.
type library struct {
	filters map[string]filterFunc
	tests   map[string]testFunc
	methods map[string]map[string]methodFunc // by kind of value
	strict  bool                             // what is undefined may not be used
}

// The libraries of chat templates and of others.
var (
	all    = &library{newFilters(), newTests(), newMethods(), false}
	strict = &library{strictFilters(), all.tests, all.methods, true}
)

// spend takes steps.
func (s *state) spend(n int) {
	if s.steps -= n; s.steps < 0 {
		panic(failure{ErrSteps})
	}
}

// made counts the bytes of a new value.
func (s *state) made(n int) {
	if s.room -= n; s.room < 0 {
		panic(failure{ErrRoom})
	}
}

// enter counts a call until the function that it returns is called.
func (s *state) enter() func() {
	if s.calls++; s.calls > maxDepth {
		panic(failure{ErrSteps})
	}
	return func() { s.calls-- }
}

// scope holds variables. What is not in it may be in the one around it; what is set
// in it is gone when it ends. Most hold a few, and are made for each pass of a loop.
type scope struct {
	parent *scope
	few    []binding
	many   map[string]any // of more than maxFew, in the place of few
}

type binding struct {
	name  string
	value any
}

const maxFew = 8

func (sc *scope) inner() *scope { return &scope{parent: sc} }

func (sc *scope) set(name string, v any) {
	if sc.many != nil {
		sc.many[name] = v
		return
	}
	for i := range sc.few {
		if sc.few[i].name == name {
			sc.few[i].value = v
			return
		}
	}
	if sc.few = append(sc.few, binding{name, v}); len(sc.few) <= maxFew {
		return
	}
	sc.many = map[string]any{}
	for _, b := range sc.few {
		sc.many[b.name] = b.value
	}
	sc.few = nil
}

func (sc *scope) get(name string) any {
	for ; sc != nil; sc = sc.parent {
		if v, ok := sc.many[name]; ok {
			return v
		}
		for _, b := range sc.few {
			if b.name == name {
				return b.value
			}
		}
	}
	return &undefined{"'" + name + "'"}
}

// assign gives the names of a target the value, or its parts.
func (sc *scope) assign(s *state, t target, v any) {
	if !t.several {
		sc.set(t.names[0], v)
		return
	}
	items := s.each(v)
	if len(items) != len(t.names) {
		fail("%d values for %d names", len(items), len(t.names))
	}
	for i, n := range t.names {
		sc.set(n, items[i])
	}
}

// run runs statements up to a break or continue.
func (s *state) run(body []stmt, sc *scope, out *strings.Builder) jump {
	for _, x := range body {
		s.spend(1)
		if j := x.run(s, sc, out); j != onward {
			return j
		}
	}
	return onward
}

// text returns what a body writes.
func (s *state) text(body []stmt, sc *scope) (string, jump) {
	var b strings.Builder
	j := s.run(body, sc, &b)
	return b.String(), j
}

func (x *textStmt) run(s *state, _ *scope, out *strings.Builder) jump {
	s.made(len(x.s))
	out.WriteString(x.s)
	return onward
}

func (x *outputStmt) run(s *state, sc *scope, out *strings.Builder) jump {
	t := s.str(x.x.eval(s, sc))
	s.made(len(t))
	out.WriteString(t)
	return onward
}

func (x *blockStmt) run(s *state, sc *scope, out *strings.Builder) jump {
	return s.run(x.body, sc.inner(), out)
}

func (x *jumpStmt) run(*state, *scope, *strings.Builder) jump {
	if x.breaks {
		return breaks
	}
	return continues
}

func (x *ifStmt) run(s *state, sc *scope, out *strings.Builder) jump {
	if s.truth(x.cond.eval(s, sc)) {
		return s.run(x.yes, sc, out)
	}
	return s.run(x.no, sc, out)
}

func (x *setStmt) run(s *state, sc *scope, _ *strings.Builder) jump {
	var v any
	j := onward
	if x.block {
		inner := sc.inner()
		var t string
		t, j = s.text(x.body, inner)
		inner.set(captured, t)
		v = x.value.eval(s, inner)
	} else {
		v = x.value.eval(s, sc)
	}
	if x.field == "" {
		sc.assign(s, x.target, v)
		return j
	}
	n, ok := sc.get(x.target.names[0]).(*namespace)
	if !ok {
		fail("line %d: %s.%s is set, but %[2]s is no namespace", x.line, x.target.names[0], x.field)
	}
	n.vars[x.field] = v
	return j
}

// captured is the name of the text of a block. No template can spell it.
const captured = " captured"

func (*capture) eval(_ *state, sc *scope) any { return sc.get(captured) }

func (x *filterStmt) run(s *state, sc *scope, out *strings.Builder) jump {
	inner := sc.inner()
	t, j := s.text(x.body, inner)
	inner.set(captured, t)
	t = s.str(x.filter.eval(s, inner))
	s.made(len(t))
	out.WriteString(t)
	return j
}

func (x *withStmt) run(s *state, sc *scope, out *strings.Builder) jump {
	inner := sc.inner()
	for i, v := range x.values {
		inner.set(x.names[i], v.eval(s, sc))
	}
	return s.run(x.body, inner, out)
}

// loop is the variable loop.
type loop struct {
	index, length int // index begins at 0
	items         []any
	depth         int
	changed       any
	again         func(items any, depth int) string // of a recursive loop, else nil
}

func (x *forStmt) run(s *state, sc *scope, out *strings.Builder) jump {
	x.over(s, sc, x.items.eval(s, sc), 0, out)
	return onward
}

// over runs the loop over the items of v.
func (x *forStmt) over(s *state, sc *scope, v any, depth int, out *strings.Builder) {
	items := x.chosen(s, sc, s.each(v))
	l := &loop{length: len(items), items: items, depth: depth, changed: &undefined{}}
	if x.recursive {
		l.again = func(items any, depth int) string {
			defer s.enter()()
			var b strings.Builder
			x.over(s, sc, items, depth, &b)
			return b.String()
		}
	}
	for l.index = range items {
		s.spend(1)
		inner := sc.inner()
		inner.set("loop", l)
		inner.assign(s, x.target, items[l.index])
		if s.run(x.body, inner, out) == breaks {
			break
		}
	}
	if len(items) == 0 {
		s.run(x.none, sc.inner(), out)
	}
}

// chosen returns the items that the condition of the loop takes.
func (x *forStmt) chosen(s *state, sc *scope, items []any) []any {
	if x.cond == nil {
		return items
	}
	var chosen []any
	for _, v := range items {
		s.spend(1)
		inner := sc.inner()
		inner.assign(s, x.target, v)
		if s.truth(x.cond.eval(s, inner)) {
			chosen = append(chosen, v)
		}
	}
	s.made(16 * len(chosen))
	return chosen
}

// get returns an attribute of the variable loop.
func (l *loop) get(name string) any {
	number := func(n int) any { return int64(n) }
	switch name {
	case "index":
		return number(l.index + 1)
	case "index0":
		return number(l.index)
	case "revindex":
		return number(l.length - l.index)
	case "revindex0":
		return number(l.length - l.index - 1)
	case "first":
		return l.index == 0
	case "last":
		return l.index == l.length-1
	case "length":
		return number(l.length)
	case "depth":
		return number(l.depth + 1)
	case "depth0":
		return number(l.depth)
	case "previtem":
		if l.index > 0 {
			return l.items[l.index-1]
		}
		return &undefined{"there is no previous item"}
	case "nextitem":
		if l.index+1 < l.length {
			return l.items[l.index+1]
		}
		return &undefined{"there is no next item"}
	case "cycle":
		return Func(l.cycle)
	case "changed":
		return Func(l.hasChanged)
	}
	return &undefined{"loop." + name}
}

func (l *loop) cycle(_ *state, a *args) any {
	if len(a.list) == 0 {
		fail("loop.cycle without items")
	}
	return a.list[l.index%len(a.list)]
}

func (l *loop) hasChanged(s *state, a *args) any {
	now := &tuple{a.list}
	if s.equal(l.changed, now) {
		return false
	}
	l.changed = now
	return true
}

// macro is a macro with the variables that it sees.
type macro struct {
	def    *macroDef
	around *scope
}

func (x *macroStmt) run(_ *state, sc *scope, _ *strings.Builder) jump {
	sc.set(x.def.name, &macro{x.def, sc})
	return onward
}

func (x *callStmt) run(s *state, sc *scope, out *strings.Builder) jump {
	a := x.call.args.eval(s, sc)
	a.names, a.named = append(a.names, "caller"), append(a.named, &macro{x.caller, sc})
	t := s.str(s.call(x.call.f.eval(s, sc), a))
	s.made(len(t))
	out.WriteString(t)
	return onward
}

// call returns what the body of the macro writes.
func (m *macro) call(s *state, a *args) any {
	defer s.enter()()
	inner := m.around.inner()
	for i, name := range m.def.params {
		v, ok := a.optional(name)
		switch {
		case ok:
		case m.def.defaults[i] != nil:
			v = m.def.defaults[i].eval(s, inner)
		default:
			v = &undefined{"parameter '" + name + "'"}
		}
		inner.set(name, v)
	}
	if caller, ok := a.named1("caller"); ok {
		inner.set("caller", caller)
	}
	inner.set("varargs", &tuple{a.list[a.next:]})
	rest := newDict()
	for i, name := range a.names {
		rest.set(s, name, a.named[i])
	}
	inner.set("kwargs", rest)
	switch {
	case a.next < len(a.list) && !m.def.uses["varargs"]:
		fail("macro %s takes %d arguments, not %d", m.def.name, len(m.def.params), len(a.list))
	case len(a.names) > 0 && !m.def.uses["kwargs"]:
		fail("macro %s has no parameter %s", m.def.name, a.names[0])
	}
	t, _ := s.text(m.def.body, inner)
	return t
}

// runes returns the characters of a text; that work counts.
func (s *state) runes(t string) []rune {
	s.made(4 * utf8.RuneCountInString(t))
	return []rune(t)
}
