package jinja

import (
	"slices"
	"unicode/utf8"
)

// state is one rendering: what it may still do.
type state struct {
	*library
	steps, room int
	calls       int     // that are open
	printed     []*dict // that are being printed
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
	switch {
	case t.field != "":
		n, ok := sc.get(t.name).(*namespace)
		if !ok {
			fail("%s.%s is set, but %[1]s is no namespace", t.name, t.field)
		}
		n.vars.put(t.field, v)
		return
	case !t.several:
		sc.set(t.name, v)
		return
	}
	items := s.each(v)
	if len(items) != len(t.items) {
		fail("%d values for %d names", len(items), len(t.items))
	}
	for i, n := range t.items {
		sc.assign(s, n, items[i])
	}
}

// run runs statements up to a break or continue.
func (s *state) run(body []stmt, sc *scope, out *builder) jump {
	for _, x := range body {
		s.spend(1)
		if j := x.run(s, sc, out); j != onward {
			return j
		}
	}
	return onward
}

// text returns what a body writes.
func (s *state) text(body []stmt, sc *scope) (text, jump) {
	var b builder
	j := s.run(body, sc, &b)
	return b.text(), j
}

// write adds a text to what the template writes.
func (s *state) write(out *builder, t text) {
	s.made(len(t.s))
	out.add(t)
}

func (x *textStmt) run(s *state, _ *scope, out *builder) jump {
	s.write(out, plain(x.s))
	return onward
}

func (x *outputStmt) run(s *state, sc *scope, out *builder) jump {
	s.write(out, s.str(x.x.eval(s, sc)))
	return onward
}

func (x *blockStmt) run(s *state, sc *scope, out *builder) jump {
	return s.run(x.body, sc.inside(x.frame), out)
}

func (x *jumpStmt) run(*state, *scope, *builder) jump {
	if x.breaks {
		return breaks
	}
	return continues
}

func (x *ifStmt) run(s *state, sc *scope, out *builder) jump {
	if s.truth(x.cond.eval(s, sc)) {
		return s.run(x.yes, sc, out)
	}
	return s.run(x.no, sc, out)
}

func (x *setStmt) run(s *state, sc *scope, _ *builder) jump {
	var v any
	if x.block {
		inner := sc.inside(x.frame)
		t, j := s.text(x.body, inner)
		if j != onward {
			return j
		}
		inner.set(captured, t)
		v = x.value.eval(s, inner)
	} else {
		v = x.value.eval(s, sc)
	}
	defer s.line(x.line)
	sc.assign(s, x.target, v)
	return onward
}

// captured is the name of the text of a block. No template can spell it.
const captured = " captured"

func (*capture) eval(_ *state, sc *scope) any { return sc.get(captured) }

func (x *filterStmt) run(s *state, sc *scope, out *builder) jump {
	inner := sc.inside(x.frame)
	t, j := s.text(x.body, inner)
	if j != onward {
		return j
	}
	inner.set(captured, t)
	s.write(out, s.str(x.filter.eval(s, inner)))
	return onward
}

func (x *withStmt) run(s *state, sc *scope, out *builder) jump {
	inner := sc.inside(x.frame)
	for i, v := range x.values {
		inner.assign(s, x.targets[i], v.eval(s, sc))
	}
	return s.run(x.body, inner, out)
}

// loop is the variable loop.
type loop struct {
	index, length int // index begins at 0
	items         []any
	depth         int
	changed       any
	again         func(items any, depth int) text // of a recursive loop, else nil
}

func (x *forStmt) run(s *state, sc *scope, out *builder) jump {
	defer s.line(x.line)
	return x.over(s, sc, x.items.eval(s, sc), 0, out)
}

// over runs the loop over the items of v.
func (x *forStmt) over(s *state, sc *scope, v any, depth int, out *builder) jump {
	items := x.chosen(s, sc, s.each(v))
	l := &loop{length: len(items), items: items, depth: depth, changed: &undefined{}}
	if x.recursive {
		l.again = func(items any, depth int) text {
			defer s.enter()()
			var b builder
			x.over(s, sc, items, depth, &b)
			return b.text()
		}
	}
	through := false // whether the body was run to its end: if not, there is the else
	for l.index = range items {
		s.spend(1)
		inner := sc.inside(x.frame)
		inner.set("loop", l)
		inner.assign(s, x.target, items[l.index])
		j := s.run(x.body, inner, out)
		if j == breaks {
			break
		}
		through = through || j == onward
	}
	if !through {
		return x.otherwise(s, sc, out)
	}
	return onward
}

// otherwise runs what stands behind else.
func (x *forStmt) otherwise(s *state, sc *scope, out *builder) jump {
	if x.noneFrame == nil {
		return onward
	}
	return s.run(x.none, sc.inside(x.noneFrame), out)
}

// chosen returns the items that the condition of the loop takes.
func (x *forStmt) chosen(s *state, sc *scope, items []any) []any {
	if x.cond == nil {
		return items
	}
	var chosen []any
	for _, v := range items {
		s.spend(1)
		inner := sc.inside(x.test)
		inner.assign(s, x.target, v)
		if s.truth(x.cond.eval(s, inner)) {
			chosen = append(chosen, v)
		}
	}
	s.made(16 * len(chosen))
	return chosen
}

// get returns an attribute of the variable loop.
func (l *loop) get(name string) (any, bool) {
	numbers := map[string]int{
		"index": l.index + 1, "index0": l.index, "revindex": l.length - l.index, "revindex0": l.length - l.index - 1,
		"length": l.length, "depth": l.depth + 1, "depth0": l.depth,
	}
	if n, ok := numbers[name]; ok {
		return int64(n), true
	}
	switch name {
	case "first":
		return l.index == 0, true
	case "last":
		return l.index == l.length-1, true
	case "previtem":
		if l.index > 0 {
			return l.items[l.index-1], true
		}
		return &undefined{"there is no previous item"}, true
	case "nextitem":
		if l.index+1 < l.length {
			return l.items[l.index+1], true
		}
		return &undefined{"there is no next item"}, true
	case "cycle":
		return Func(l.cycle), true
	case "changed":
		return Func(l.hasChanged), true
	}
	return nil, false
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

func (x *macroStmt) run(_ *state, sc *scope, _ *builder) jump {
	sc.set(x.def.name, &macro{x.def, sc})
	return onward
}

func (x *callStmt) run(s *state, sc *scope, out *builder) jump {
	a := x.call.args.eval(s, sc)
	a.names, a.named = append(a.names, "caller"), append(a.named, &macro{x.caller, sc})
	defer s.line(x.call.line)
	s.write(out, s.str(s.call(x.call.f.eval(s, sc), a)))
	return onward
}

// call returns what the body of the macro writes.
func (m *macro) call(s *state, a *args) any {
	defer s.enter()()
	inner := m.around.inside(m.def.frame)
	given := make([]any, len(m.def.params))
	for i, name := range m.def.params {
		if v, ok := a.optional(name); ok {
			given[i] = v
		} else if m.def.defaults[i] == nil {
			given[i] = &undefined{"parameter '" + name + "'"}
		}
	}
	for i, name := range m.def.params {
		if given[i] == nil && m.def.defaults[i] != nil {
			given[i] = m.def.defaults[i].eval(s, inner)
		}
		inner.set(name, given[i])
	}
	m.others(s, a, inner)
	t, _ := s.text(m.def.body, inner)
	return t
}

// others sets what a macro has beside its parameters.
func (m *macro) others(s *state, a *args, inner *scope) {
	if m.def.uses["caller"] && !slices.Contains(m.def.params, "caller") {
		caller, ok := a.named1("caller")
		if !ok {
			caller = &undefined{"caller"}
		}
		inner.set("caller", caller)
	}
	switch {
	case a.next < len(a.list) && !m.def.uses["varargs"]:
		fail("macro %s takes %d arguments, not %d", m.def.name, len(m.def.params), len(a.list))
	case len(a.names) > 0 && !m.def.uses["kwargs"]:
		fail("macro %s has no parameter %s", m.def.name, a.names[0])
	}
	inner.set("varargs", &tuple{a.list[a.next:]})
	rest := newDict()
	for i, name := range a.names {
		rest.set(s, plain(name), a.named[i])
	}
	inner.set("kwargs", rest)
}

// runes returns the characters of a text; that work counts.
func (s *state) runes(t text) []text {
	n := utf8.RuneCountInString(t.s)
	s.made(4 * n)
	list := make([]text, 0, n)
	t.runes(func(_ int, _ rune, c text) { list = append(list, c) })
	return list
}
