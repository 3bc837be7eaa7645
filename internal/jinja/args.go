package jinja

import "slices"

// args are those of a call, evaluated. A function takes one after the other, by its
// name or by its place.
type args struct {
	list  []any
	next  int // of list
	names []string
	named []any
}

func (a *arguments) eval(s *state, sc *scope) *args {
	r := &args{names: append([]string(nil), a.names...)}
	for _, x := range a.list {
		r.list = append(r.list, x.eval(s, sc))
	}
	for _, x := range a.named {
		r.named = append(r.named, x.eval(s, sc))
	}
	if a.star != nil {
		r.list = append(r.list, s.each(a.star.eval(s, sc))...)
	}
	if a.stars != nil {
		d, ok := a.stars.eval(s, sc).(*dict)
		if !ok {
			fail("what follows ** is no dict")
		}
		for i, k := range d.keys {
			t, ok := k.(text)
			if !ok || slices.Contains(r.names, t.s) {
				fail("what follows ** has the key %s, which is no name or is there twice", s.reprOf(k).s)
			}
			r.names, r.named = append(r.names, t.s), append(r.named, d.values[i])
		}
	}
	s.spend(1 + len(r.list) + len(r.names))
	return r
}

// withNames are the arguments of methods that may be given by their names.
var withNames = map[string][]string{"split": {"sep", "maxsplit"}, "rsplit": {"sep", "maxsplit"},
	"splitlines": {"keepends"}}

// places refuses names of arguments that the method does not know.
func (a *args) places(method string) {
	for _, n := range a.names {
		if method != "format" && !slices.Contains(withNames[method], n) {
			fail("%s has no argument %s", method, n)
		}
	}
}

// named1 takes the argument of that name, if there is one.
func (a *args) named1(name string) (any, bool) {
	for i, n := range a.names {
		if n == name {
			v := a.named[i]
			a.names, a.named = append(a.names[:i:i], a.names[i+1:]...), append(a.named[:i:i], a.named[i+1:]...)
			return v, true
		}
	}
	return nil, false
}

// optional takes the next argument, by place or by name.
func (a *args) optional(name string) (any, bool) {
	if a.next < len(a.list) {
		a.next++
		return a.list[a.next-1], true
	}
	return a.named1(name)
}

// take is optional for an argument that must be there.
func (a *args) take(name string) any {
	v, ok := a.optional(name)
	if !ok {
		fail("the argument %s is missing", name)
	}
	return v
}

// or is optional with what an absent argument means.
func (a *args) or(name string, absent any) any {
	if v, ok := a.optional(name); ok {
		return v
	}
	return absent
}

// integer and text are or for arguments of that type.
func (a *args) integer(name string, absent int) int {
	return sized(a.or(name, int64(absent)), "the argument "+name)
}

func (a *args) text(name string) text {
	v := a.take(name)
	t, ok := v.(text)
	if !ok {
		fail("the argument %s is %s, not a text", name, typeName(v))
	}
	return t
}

// done refuses arguments that nobody took.
func (a *args) done() {
	if a.next < len(a.list) {
		fail("%d arguments are too many", len(a.list)-a.next)
	}
	if len(a.names) > 0 {
		fail("the argument %s is not supported", a.names[0])
	}
}
