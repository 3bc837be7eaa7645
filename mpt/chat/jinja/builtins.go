package jinja

import (
	"math"
)

// builtins are the functions that all templates may call.
var builtins = map[string]any{
	"range":     Func(rangeOf),
	"dict":      Func(dictOf),
	"namespace": Func(namespaceOf),
	"joiner":    Func(joinerOf),
	"raise_exception": Func(func(s *state, a *args) any {
		message := s.str(a.take("message"))
		a.done()
		fail("%s", message)
		return nil
	}),
}

// rangeOf returns the numbers that Python's range yields.
func rangeOf(s *state, a *args) any {
	n := make([]int, len(a.list))
	for i := range n {
		n[i] = a.integer("of range", 0)
	}
	a.done()
	start, stop, step := 0, 0, 1
	switch len(n) {
	case 1:
		stop = n[0]
	case 2:
		start, stop = n[0], n[1]
	case 3:
		start, stop, step = n[0], n[1], n[2]
	}
	if len(n) < 1 || len(n) > 3 || step == 0 || max(start, stop, step) > math.MaxInt32 || min(start, stop, step) < math.MinInt32 {
		fail("range: wrong arguments")
	}
	var items []any
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		s.spend(1)
		s.made(16)
		items = append(items, int64(i))
	}
	return &list{items}
}

// dictOf makes a dict of a dict or pairs, and of arguments with names.
func dictOf(s *state, a *args) any {
	d := newDict()
	switch x := a.or("of", nil).(type) {
	case nil:
	case *dict:
		for i, k := range x.keys {
			d.set(s, k, x.values[i])
		}
	default:
		for _, pair := range s.each(x) {
			kv := s.each(pair)
			if len(kv) != 2 {
				fail("dict: an item is no pair")
			}
			d.set(s, kv[0], kv[1])
		}
	}
	for i, name := range a.names {
		d.set(s, name, a.named[i])
	}
	a.names, a.named = nil, nil
	a.done()
	s.made(64 * len(d.keys))
	return d
}

// namespaceOf makes an object whose fields a template may set.
func namespaceOf(s *state, a *args) any {
	d := dictOf(s, a).(*dict)
	n := &namespace{map[string]any{}}
	for i, k := range d.keys {
		n.vars[s.str(k)] = d.values[i]
	}
	return n
}

// joinerOf returns a function that writes a separator, but not the first time.
func joinerOf(s *state, a *args) any {
	sep := s.str(a.or("sep", ", "))
	a.done()
	again := false
	return Func(func(_ *state, a *args) any {
		a.done()
		if !again {
			again = true
			return ""
		}
		return sep
	})
}
