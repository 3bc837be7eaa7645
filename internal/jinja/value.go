package jinja

import (
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
)

// The values that are not Go's own. None of them changes once it is made, but a
// namespace and a stream.
type (
	list      struct{ items []any }
	tuple     struct{ items []any }
	undefined struct{ what string } // what is missing, for errors
	markup    struct{ t text }      // a text that was called safe: it may be printed, and nothing else
	namespace struct{ vars *dict }
	group     struct{ key, items any } // of the filter groupby: a tuple with names
	ranged    struct {
		start, stop, step int64
		n                 int
	}
	view struct { // of a dict: what its methods return
		name  string
		items []any
	}
	method struct {
		self any
		name string
	}
)

// stream is what a filter such as map returns: its items are made when they are asked
// for, and are there once.
type stream struct {
	filter string
	make   func() []any
	items  []any
}

// take makes the items and removes n of them, or all if n is negative.
func (g *stream) take(n int) []any {
	if g.make != nil {
		f := g.make
		g.make = nil
		g.items = f()
	}
	if n < 0 || n > len(g.items) {
		n = len(g.items)
	}
	taken := g.items[:n:n]
	g.items = g.items[n:]
	return taken
}

// Func is a function that templates may call. It panics by no other means than fail.
type Func func(s *state, a *args) any

// GoFunc returns a function of one text.
func GoFunc(f func(text string) (string, error)) Func {
	return func(s *state, a *args) any {
		t := s.str(a.take("text"))
		a.done()
		out, err := f(t.s)
		if err != nil {
			panic(failure{err})
		}
		return t.like(out)
	}
}

// dict is a dict of Python, in the order in which its keys came.
type dict struct {
	keys   []any
	values []any
	at     map[any]int // by what hash makes of a key
}

func newDict() *dict { return &dict{at: map[any]int{}} }

// set gives key a value, while the dict is made.
func (d *dict) set(s *state, key, value any) {
	h := s.hash(key, 0)
	if i, ok := d.at[h]; ok {
		d.values[i] = value
		return
	}
	d.at[h] = len(d.keys)
	d.keys, d.values = append(d.keys, key), append(d.values, value)
}

func (d *dict) get(s *state, key any) (any, bool) {
	i, ok := d.at[s.hash(key, 0)]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

// put is set of a name.
func (d *dict) put(name string, v any) {
	if i, ok := d.at[name]; ok {
		d.values[i] = v
		return
	}
	d.at[name] = len(d.keys)
	d.keys, d.values = append(d.keys, plain(name)), append(d.values, v)
}

// named is get of a name.
func (d *dict) named(name string) (any, bool) {
	i, ok := d.at[name]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

// hash returns what is equal for keys that are equal: 1, 1.0 and true are.
func (s *state) hash(key any, depth int) any {
	if s.spend(1); depth > maxDepth {
		fail("a value is nested deeper than %d", maxDepth)
	}
	switch k := key.(type) {
	case bool, int64, *big.Int, float64:
		return hashNumber(k)
	case *tuple:
		return s.hashItems(k.items, depth)
	case *group:
		return s.hashItems([]any{k.key, k.items}, depth)
	case text:
		s.spend(len(k.s) / 64)
		return k.s
	case nil:
		return key
	case *undefined:
		return undefined{}
	case *macro, *namespace, *loop:
		return key
	}
	fail("%s cannot be the key of a dict", typeName(key))
	return nil
}

// hashItems is hash of a tuple.
func (s *state) hashItems(items []any, depth int) any {
	var b []byte
	for _, x := range items {
		h := fmt.Sprintf("%T %[1]v", s.hash(x, depth+1))
		b = fmt.Appendf(b, "%d %s,", len(h), h)
		s.made(2 * len(h))
	}
	return [1]string{string(b)}
}

func hashNumber(v any) any {
	n, _ := numeric(v)
	if !n.whole {
		if n.f != math.Trunc(n.f) || math.IsInf(n.f, 0) {
			return n.f
		}
		n, _ = numeric(wholeOf(n.f))
	}
	if n.big != nil {
		return [2]string{n.big.Text(62)}
	}
	return n.i
}

// hashable reports whether a value can be a key.
func (s *state) hashable(v any, depth int) bool {
	s.spend(1)
	switch x := v.(type) {
	case *tuple:
		return depth <= maxDepth && !slices.ContainsFunc(x.items, func(v any) bool { return !s.hashable(v, depth+1) })
	case *list, *dict, *group, *view:
		return false
	}
	return true
}

// Said is a text that a message brings: a template's own text is told from it.
type Said string

// fromGo returns what stands for a value of Go.
func (s *state) fromGo(v any) any {
	switch x := v.(type) {
	case int:
		return int64(x)
	case string:
		return plain(x)
	case Said:
		return saidBy(string(x))
	case []any:
		l := &list{make([]any, len(x))}
		for i, v := range x {
			l.items[i] = s.fromGo(v)
		}
		return l
	case [][2]any:
		d := newDict()
		for _, kv := range x {
			d.set(s, s.fromGo(kv[0]), s.fromGo(kv[1]))
		}
		return d
	case map[string]any:
		d := newDict()
		for _, k := range slices.Sorted(maps.Keys(x)) {
			d.set(s, plain(k), s.fromGo(x[k]))
		}
		return d
	}
	return v
}

// typeName is what Python calls the type of a value, for errors.
func typeName(v any) string {
	switch x := v.(type) {
	case nil:
		return "none"
	case bool:
		return "a bool"
	case int64, *big.Int:
		return "an int"
	case float64:
		return "a float"
	case text:
		return "a text"
	case *list:
		return "a list"
	case *tuple, *group:
		return "a tuple"
	case *dict:
		return "a dict"
	case *undefined:
		return x.what + ", which is undefined,"
	case markup:
		return "a text that was called safe"
	case *namespace:
		return "a namespace"
	case *loop:
		return "a loop"
	case *macro:
		return "a macro"
	case *cycler:
		return "a cycler"
	case *ranged:
		return "a range"
	case *view:
		return "a view of a dict"
	case *stream:
		return "what the filter " + x.filter + " returns (not a list without the filter list)"
	}
	return "a function"
}

// truth is what an "if" makes of a value.
func truth(v any) bool {
	switch x := v.(type) {
	case nil, *undefined:
		return false
	case bool:
		return x
	case int64:
		return x != 0
	case float64:
		return x != 0
	case text:
		return x.s != ""
	case markup:
		return x.t.s != ""
	case *list:
		return len(x.items) > 0
	case *tuple:
		return len(x.items) > 0
	case *dict:
		return len(x.keys) > 0
	case *view:
		return len(x.items) > 0
	case *ranged:
		return x.n > 0
	}
	return true
}

func asInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// each returns the items that a loop over v visits. They are not to be changed.
func (s *state) each(v any) []any {
	switch x := v.(type) {
	case *list:
		return x.items
	case *tuple:
		return x.items
	case *group:
		return []any{x.key, x.items}
	case *dict:
		return x.keys
	case *view:
		return x.items
	case *stream:
		return x.take(-1)
	case *ranged:
		return s.numbers(x)
	case *undefined:
		s.defined(v)
		return nil
	case text:
		s.made(16 * len(x.s))
		items := make([]any, 0, len(x.s))
		x.runes(func(_ int, _ rune, c text) { items = append(items, c) })
		return items
	}
	fail("%s has no items", typeName(v))
	return nil
}

// numbers returns those of a range.
func (s *state) numbers(r *ranged) []any {
	s.spend(r.n)
	s.made(16 * r.n)
	items := make([]any, r.n)
	for i := range items {
		items[i] = r.start + int64(i)*r.step
	}
	return items
}

// newList returns a list, whose size counts.
func (s *state) newList(items []any) *list {
	s.made(16 * len(items))
	return &list{items}
}

// later returns the stream of a filter.
func later(filter string, items func() []any) any { return &stream{filter: filter, make: items} }
