package jinja

import (
	"strings"
	"testing"
)

// What Jinja 3.1 makes of the same templates in the environment of lm-evaluation-harness.
func TestStrict(t *testing.T) {
	vars := map[string]any{"a": "x", "n": 2, "list": []any{"p", "q"}}
	for _, c := range []struct{ source, want, err string }{
		{"{{a}}\n", "x\n", ""},
		{"{% if a %}\n  y\n{% endif %}\n", "\n  y\n\n", ""},
		{"  {% if a %}y{% endif %}", "  y", ""},
		{"{{ a|regex_replace('x', 'yy') }}", "yy", ""},
		{"{{ 'aXbX'|regex_replace('(X)', '<\\\\1>', count=1) }}", "a<X>bX", ""},
		{"{{list[n-1]}}{# c #}\n", "q\n", ""},
		{"{{ b is defined }} {{ b|default('d') }}", "False d", ""},
		{"{{b}}", "", "'b' is undefined"},
		{"{% if b %}{% endif %}", "", "'b' is undefined"},
		{"{% for x in b %}{% endfor %}", "", "'b' is undefined"},
		{"{{ b == 1 }}", "", "'b' is undefined"},
		{"{{ 'x' == b }}", "", "'b' is undefined"},
		{"{{ not b }}", "", "'b' is undefined"},
		{"{{ 'x' ~ b }}", "", "'b' is undefined"},
		{"{{ a|regex_replace('(?=x)', '') }}", "", "not supported"},
	} {
		parsed, err := ParseStrict(c.source)
		var got string
		if err == nil {
			got, err = parsed.Render(vars, Limits{Steps: 1 << 12, Bytes: 1 << 16})
		}
		switch {
		case c.err == "" && (err != nil || got != c.want):
			t.Errorf("%q: %q, %v, want %q", c.source, got, err, c.want)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%q: %q, %v, want an error with %q", c.source, got, err, c.err)
		}
	}
	if _, err := Parse("{{ a|regex_replace('x', '') }}"); err == nil {
		t.Error("chat templates have a filter regex_replace")
	}
}
