package jinja

import (
	"strconv"
	"strings"
)

// formatted is the method format, for places without a format of their own.
func (s *state) formatted(t text, a *args) text {
	var b builder
	next, byPlace := 0, false
	value := func(place string) any {
		n, err := strconv.Atoi(place)
		switch {
		case place == "" && !byPlace && next < len(a.list):
			next++
			return a.list[next-1]
		case err == nil && n >= 0 && n < len(a.list) && next == 0:
			byPlace = true
			return a.list[n]
		}
		for i, name := range a.names {
			if name == place {
				return a.named[i]
			}
		}
		fail("format: the place {%s} is not supported, or has no value", place)
		return nil
	}
	for t.s != "" {
		i := strings.IndexAny(t.s, "{}")
		if i < 0 {
			break
		}
		b.add(t.cut(0, i))
		if strings.HasPrefix(t.s[i:], "{{") || strings.HasPrefix(t.s[i:], "}}") {
			b.add(t.cut(i, i+1))
			t = t.from(i + 2)
			continue
		}
		end := strings.IndexByte(t.s[i:], '}')
		if t.s[i] == '}' || end < 0 {
			fail("format: a brace without its pair")
		}
		b.add(s.str(value(t.s[i+1 : i+end])))
		s.made(b.len() / 8)
		t = t.from(i + end + 1)
	}
	b.add(t)
	a.next, a.names, a.named = len(a.list), nil, nil
	return b.text()
}
