package jinja

import (
	"maps"

	"mptgo/internal/pyregexp"
)

// defined fails with a value that is undefined, where that is strict.
func (s *state) defined(v any) {
	if u, ok := v.(*undefined); ok && s.strict {
		fail("%s is undefined", u.what)
	}
}

// truth is what an "if" makes of a value.
func (s *state) truth(v any) bool {
	s.defined(v)
	return truth(v)
}

// strictFilters returns the filters of templates that are no chats.
func strictFilters() map[string]filterFunc {
	filters := maps.Clone(newFilters())
	filters["regex_replace"] = func(s *state, v any, a *args) any {
		t, pattern, repl := s.str(v), s.str(a.take("pattern")), s.str(a.take("repl"))
		count := a.integer("count", 0)
		re, err := pyregexp.Compile(pattern.s)
		if err != nil {
			panic(failure{err})
		}
		out, err := re.Replace(t.s, repl.s, count)
		if err != nil {
			panic(failure{err})
		}
		s.spend(len(t.s) / 16)
		s.made(len(out))
		return t.like(out)
	}
	return filters
}
