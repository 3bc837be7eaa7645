package jinja

// builtins are the functions that all templates may call.
var builtins = map[string]any{
	"range":     Func(rangeOf),
	"dict":      Func(dictOf),
	"namespace": Func(namespaceOf),
	"joiner":    Func(joinerOf),
	"cycler":    Func(cyclerOf),
	"lipsum": Func(func(*state, *args) any {
		fail("the function lipsum is not supported")
		return nil
	}),
	"raise_exception": Func(func(s *state, a *args) any {
		message := s.str(a.take("message"))
		a.done()
		fail("%s", message.s)
		return nil
	}),
}

// maxRange is how long a range may be in Jinja's sandbox.
const maxRange = 100_000

// rangeOf returns the numbers that Python's range yields.
func rangeOf(s *state, a *args) any {
	var n []int64
	for _, v := range a.list {
		x, ok := numeric(v)
		if !ok || !x.whole || x.big != nil || max(x.i, -x.i) > 1<<60 {
			fail("range: the argument %s is no int, or too large", s.reprOf(v).s)
		}
		n = append(n, x.i)
	}
	a.next = len(a.list)
	a.done()
	r := &ranged{step: 1}
	switch len(n) {
	case 1:
		r.stop = n[0]
	case 2:
		r.start, r.stop = n[0], n[1]
	case 3:
		r.start, r.stop, r.step = n[0], n[1], n[2]
	}
	if len(n) < 1 || len(n) > 3 || r.step == 0 {
		fail("range: wrong arguments")
	}
	if r.n = count(r.start, r.stop, r.step); r.n > maxRange {
		s.spend(r.n)
		fail("range: more than %d numbers", maxRange)
	}
	return r
}

// dictOf makes a dict of a dict or pairs, and of arguments with names.
func dictOf(s *state, a *args) any {
	d := newDict()
	if a.next < len(a.list) {
		s.fill(d, a.take("of"))
	}
	for i, name := range a.names {
		d.set(s, plain(name), a.named[i])
	}
	a.names, a.named = nil, nil
	a.done()
	s.made(64 * len(d.keys))
	return d
}

// fill puts the items of a dict, or pairs, into d.
func (s *state) fill(d *dict, of any) {
	if x, ok := of.(*dict); ok {
		for i, k := range x.keys {
			d.set(s, k, x.values[i])
		}
		return
	}
	for _, pair := range s.each(of) {
		kv := s.each(pair)
		if len(kv) != 2 {
			fail("dict: an item is no pair")
		}
		d.set(s, kv[0], kv[1])
	}
}

// namespaceOf makes an object whose fields a template may set.
func namespaceOf(s *state, a *args) any { return &namespace{dictOf(s, a).(*dict)} }

// joinerOf returns a function that writes a separator, but not the first time.
func joinerOf(s *state, a *args) any {
	sep := a.or("sep", plain(", "))
	a.done()
	again := false
	return Func(func(_ *state, a *args) any {
		a.done()
		if !again {
			again = true
			return text{}
		}
		return sep
	})
}

// cycler is an object that goes through items again and again.
type cycler struct {
	items []any
	pos   int
}

func cyclerOf(_ *state, a *args) any {
	c := &cycler{items: a.list[a.next:]}
	if a.next = len(a.list); len(c.items) == 0 {
		fail("cycler without items")
	}
	a.done()
	return c
}

// get returns an attribute of a cycler.
func (c *cycler) get(name string) (any, bool) {
	switch name {
	case "current":
		return c.items[c.pos], true
	case "pos":
		return int64(c.pos), true
	case "items":
		return &tuple{c.items}, true
	case "next":
		return Func(func(_ *state, a *args) any {
			a.done()
			now := c.items[c.pos]
			c.pos = (c.pos + 1) % len(c.items)
			return now
		}), true
	case "reset":
		return Func(func(_ *state, a *args) any { a.done(); c.pos = 0; return nil }), true
	}
	return nil, false
}
