package jinja

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"mptgo/internal/check"
)

var enough = Limits{Steps: 1 << 19, Bytes: 32 << 20}

// render is what the template makes of messages, with the variables that transformers
// gives.
func render(t *Template, messages [][2]string, prompt bool) (string, error) {
	list := make([]any, len(messages))
	for i, m := range messages {
		list[i] = [][2]any{{"role", m[0]}, {"content", m[1]}}
	}
	return t.Render(map[string]any{
		"messages": list, "tools": nil, "documents": nil, "add_generation_prompt": prompt,
		"bos_token": "<s>", "eos_token": "</s>", "unk_token": "", "pad_token": "",
		"strftime_now": GoFunc(func(format string) (string, error) {
			// What the reference was asked at 05:04:03 on 9 July 2024.
			return strings.NewReplacer("%d", "09", "%-d", "9", "%B", "July", "%b", "Jul", "%Y", "2024", "%m", "07", "%H", "05", "%M", "04").Replace(format), nil
		}),
	}, enough)
}

// Jinja 3.1.6, set up as transformers does it, made the texts of these files:
// constructs of the language one by one, and templates as models bring them.
func TestJinja(t *testing.T) {
	for _, file := range []string{"constructs.json", "published.json"} {
		data, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		var all []struct {
			Name, Template string
			Cases          []struct {
				Messages [][2]string
				Prompt   bool
				Text     string
				Fails    bool
			}
		}
		if err := json.Unmarshal(data, &all); err != nil || len(all) == 0 {
			t.Fatal(len(all), err)
		}
		for _, x := range all {
			for i, c := range x.Cases {
				var got string
				tmpl, err := Parse(x.Template)
				if err == nil {
					got, err = render(tmpl, c.Messages, c.Prompt)
				}
				if (err != nil) != c.Fails || got != c.Text {
					t.Errorf("%s, case %d:\n got %q, %v\nwant %q, an error: %v", x.Name, i, got, err, c.Text, c.Fails)
				}
			}
		}
	}
}

// What is refused says what, and where.
func TestRefuses(t *testing.T) {
	for template, want := range map[string]string{
		"\n{% do x.append(1) %}":      `line 2: the tag "do" is not supported`,
		"{% include 'x' %}":           `the tag "include" is not supported`,
		"{% block x %}{% endblock %}": `the tag "block" is not supported`,
		"{{ x | urlize }}":            `line 1: the filter "urlize" is not supported`,
		"{{ x is escaped }}":          `the test "escaped" is not supported`,
		"{% if x %}":                  `{% endif %} expected, not "the end of the template"`,
		"{% if x %}{% endfor %}":      `{% endif %} expected, not "endfor"`,
		"{% endif %}":                 `unexpected tag "endif"`,
		"{% for x y %}{% endfor %}":   `"in" expected, not "y"`,
		"{% for x in y %}":            `{% endfor %} expected`,
		"{% break %}":                 "break outside of a loop",
		"{% macro f(a=1, b) %}":       "a parameter without a default follows one with a default",
		"{% call x %}{% endcall %}":   "a call expected",
		"{{ f(a=1, 2) }}":             "an argument without a name follows one with a name",
		"{{ 'x":                       "a text in quotes is not closed",
		"{{ x":                        "a {{ tag is not closed",
		"{# x":                        "a comment is not closed",
		"{% raw %}":                   "a raw block is not closed",
		"{{ ) }}":                     `unexpected ")"`,
		"{{ x ; }}":                   `"}}" expected, not ";"`,
		"{{ ? }}":                     "unexpected character '?'",
		"{{ x[] }}":                   "an index expected",
		"{{ x. }}":                    "a name expected",
		`{{ '\xg0' }}`:                `the escape \x needs 2 hexadecimal digits`,
		"{{ 2 ** 65537 }}":            "more than 65536 bits are not supported",
		"{{ 1e999 }}":                 "the number 1e999 is not supported",
		"{{ 10 ** 5000 }}":            "an int has more than 4300 digits",
		"{{ " + strings.Repeat("9", 4301) + " }}": "is not supported",
		"\n\n{{ x.y }}":                                 `line 3: 'x' is undefined, and has no "y"`,
		"{{ 'a' + 1 }}":                                 "line 1: a text + an int is not possible",
		"{{ none + 1 }}":                                "none + an int is not possible",
		"{{ 1 // 0 }}":                                  "division by zero",
		"{{ 1 < 'a' }}":                                 "an int and a text have no order",
		"{{ [1] < (1,) }}":                              "a list and a tuple have no order",
		"{{ 1 in 2 }}":                                  "an int has no items",
		"{{ 1 in 'a' }}":                                "an int cannot be in a text",
		"{{ {[]: 1} }}":                                 "a list cannot be the key of a dict",
		"{{ [].append(1) }}":                            `a list has a method "append" in Python, which is not supported`,
		"{{ {}.update({}) }}":                           `a dict has a method "update" in Python`,
		"{{ 'a'.casefold() }}":                          `a text has a method "casefold" in Python`,
		"{{ 'a'.encode() }}":                            `a text has a method "encode" in Python`,
		"{{ (1).real }}":                                `an int has an attribute "real" in Python`,
		"{{ (2 ** 70).bit_length() }}":                  `an int has an attribute "bit_length" in Python`,
		"{{ true.real }}":                               `a bool has an attribute "real" in Python`,
		"{{ 1.5.is_integer() }}":                        `a float has an attribute "is_integer" in Python`,
		"{{ (1,).__len__() }}":                          `a tuple has a method "__len__" in Python`,
		"{{ range(3).start }}":                          `a range has a method "start" in Python`,
		"{{ {}.items().mapping }}":                      `a view of a dict has an attribute "mapping" in Python`,
		"{{ ([1] | map('abs')).send(1) }}":              `has an attribute "send" in Python`,
		"{% macro f() %}{% endmacro %}{{ f.name }}":     `a macro has an attribute "name" in Python`,
		"{{ dict.fromkeys('ab') }}":                     `a function has an attribute "fromkeys" in Python`,
		"{{ ('a' | safe).unescape() }}":                 `a text that was called safe has an attribute "unescape" in Python`,
		"{{ messages.sort() }}":                         `a list has a method "sort" in Python`,
		"{{ lipsum() }}":                                "the function lipsum is not supported",
		"{{ [1] | map('abs') | length }}":               "the filter map returns",
		"{{ ([1] | select)[0:1] }}":                     "has no slices",
		"{{ undef | int }}":                             "'undef' is undefined",
		"{{ undef[1:] }}":                               "'undef' is undefined",
		"{{ ''.__class__ }}":                            `"__class__" in Python`,
		"{{ 'x'.join([1]) }}":                           "join: an item is an int",
		"{{ 'x'.center(3) | center('x') }}":             "the argument width is a text, not an int",
		"{{ 'x'.split('') }}":                           "the separator is empty",
		"{{ '%q' % 1 }}":                                "the format",
		"{{ '%5%' % {} }}":                              "the format \"%5%\" is not supported",
		"{{ '%-%' % [] }}":                              "the format",
		"{{ '%.3%' % 1 }}":                              "the format",
		"{{ '%l%' % 'x' }}":                             "the format",
		"{{ '%(a)%' % {'a': 1} }}":                      "the format",
		"{{ '%(a)s%' % {'a': 1} }}":                     "the format",
		"{{ '%s%5%' % (1, 2) }}":                        "the format",
		"{{ '%*%' % (3,) }}":                            "the format",
		"{{ '%%' % 1 }}":                                "a format has fewer places than values",
		"{{ '%s' % () }}":                               "a format has more places than values",
		"{{ '%s' % (1, 2) }}":                           "a format has fewer places than values",
		"{{ '{:>3}'.format(1) }}":                       "the place {:>3} is not supported",
		"{{ range }}":                                   "a function cannot be printed",
		"{{ range(1, 2, 0) }}":                          "range: wrong arguments",
		"{{ 1() }}":                                     "an int cannot be called",
		"{{ 'x' | upper(1) }}":                          "1 arguments are too many",
		"{{ 'x' | upper(a=1) }}":                        "the argument a is not supported",
		"{{ 'x' | map('nope') | list }}":                `line 1: the filter "nope" is not supported`,
		"{{ [1] | select('nope') | list }}":             `the test "nope" is not supported`,
		"{{ ('a' | safe) + 'b' }}":                      "a text that was called safe cannot be changed",
		"{{ 'a' | safe | upper }}":                      "a text that was called safe cannot be filtered",
		"{% set x.y = 1 %}":                             "x.y is set, but x is no namespace",
		"{% set a, b = [1] %}":                          "1 values for 2 names",
		"{% macro f() %}{% endmacro %}{{ f(1) }}":       "macro f takes 0 arguments, not 1",
		"{% macro f() %}{% endmacro %}{{ f(a=1) }}":     "macro f has no parameter a",
		"{% for x in [1] %}{{ loop([1]) }}{% endfor %}": "the loop is not recursive",
		"{{ raise_exception('no ' ~ 1) }}":              "line 1: no 1",
		strings.Repeat("{% if 1 %}", 101):               "it is nested deeper than 100",
		strings.Repeat("x", maxSource+1):                "at most 262144 are supported",
	} {
		tmpl, err := Parse(template)
		text := ""
		if err == nil {
			text, err = render(tmpl, [][2]string{{"user", "x"}}, true)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: %q, error %v, want one that contains %q", template, text, err, want)
		}
	}
}

// In a branch of an if, what is not there matters only where it is reached; what is
// false has no items for map and select.
func TestUnreached(t *testing.T) {
	for template, want := range map[string]string{
		"{% if false %}{{ 1 | nope }}{% elif 1 is nope %}{% endif %}":                                                                     `the test "nope" is not supported`,
		"{% if false %}{{ 1 | nope }}{{ 1 is nope }}{% endif %}x":                                                                         "x",
		"{% if true %}{{ 1 | nope }}{% endif %}":                                                                                          `the filter "nope" is not supported`,
		"{{ none | map('upper') | list }}{{ 0 | select | list }}{{ false | rejectattr('x') | list }}{{ '' | map(attribute='x') | list }}": "[][][][]",
	} {
		tmpl, err := Parse(template)
		if err != nil {
			t.Errorf("%s: %v", template, err)
			continue
		}
		text, err := render(tmpl, nil, true)
		if err != nil {
			text = err.Error()
		}
		if !strings.Contains(text, want) {
			t.Errorf("%s: %q, want %q", template, text, want)
		}
	}
}

func TestLimits(t *testing.T) {
	tmpl, err := Parse("{% for a in 'abcdefgh' %}{{ a ~ a }}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		limits Limits
		want   error
	}{{Limits{Steps: 1000, Bytes: 1000}, nil}, {Limits{Steps: 20, Bytes: 1000}, ErrSteps}, {Limits{Steps: 1000, Bytes: 130}, ErrRoom}} {
		text, err := tmpl.Render(nil, c.limits)
		if !errors.Is(err, c.want) || err == nil && text != "aabbccddeeffgghh" {
			t.Errorf("%+v: %q, error %v, want %v", c.limits, text, err, c.want)
		}
	}
}

// Templates that try to take long or much within the limits.
func TestHostile(t *testing.T) {
	const big = "{% set b = 'a' * 1000000 %}{% set l = [b] * 10000 %}{% set c = b ~ '' %}{% set n = namespace(t=(1,)) %}"
	const often = "{% for j in range(20) %}{% for i in range(100000) %}"
	for i, body := range []string{
		"{{ b | trim }}", "{{ b.strip('b' * 10000 ~ 'a') | length }}", "{{ b is upper }}", "{{ b == c }}", "{{ b < c }}", "{{ l == l }}",
		"{{ b in c }}", "{{ b in l }}", "{{ {b: 1} }}", "{{ {c: 1}[b] }}", "{{ l | unique | list | length }}", "{{ l | sort | length }}", "{{ l | max | length }}",
		"{{ l | map('upper') | list | length }}", "{{ l | join | length }}", "{{ b.split('a') | length }}", "{{ b.startswith(c) }}", "{{ b.find('b') }}",
		"{{ b.replace('a', 'b') | length }}", "{{ b | replace('', b) | length }}", "{{ b[::-1] | length }}", "{{ b[-1] }}", "{{ b | int }}", "{{ b | tojson | length }}",
		"{{ l | tojson | length }}", "{{ l | string | length }}", "{{ b | title | length }}", "{{ '%s%s' % (b, b) }}", "{{ '{0}{0}'.format(b) | length }}",
		"{% set n.t = (n.t, n.t) %}{{ {n.t: 1} | length }}", "{% set n.t = (n.t, n.t) %}{{ n.t == (n.t, n.t) }}", "{% set n.t = (n.t, n.t) %}{{ n.t | string | length }}",
		"{% set n.t = (n.t, n.t) %}{{ {}[n.t] }}", "{% set n.t = [n.t, n.t] %}{{ n.t | tojson | length }}", "{% set n.t = [n.t, n.t] %}{{ n.t < n.t }}", "{{ b | wordcount }}",
		"{% for x in l %}{% for y in l %}{% endfor %}{% endfor %}", "{% set x %}{{ b }}{% endset %}", "{{ b | indent | length }}", "{{ l | groupby(0) | length }}", "{{ b | list | length }}",
		"{{ l | batch(1) | list | length }}", "{{ range(100000) | list | length }}", "{{ l | sum(start='') | length }}", "{{ (b, ) * 1000 | length }}", "{{ b | reverse | length }}",
		"{{ b.count('a') }}", "{{ b.center(2000000) | length }}", "{{ b.partition('b') | length }}", "{{ b.isalpha() }}", "{{ b | capitalize | length }}", "{{ b.splitlines() | length }}",
	} {
		if testing.Short() && i%6 > 0 {
			continue
		}
		tmpl, err := Parse(big + often + body + "{% endfor %}{% endfor %}")
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		check.Bounded(t, 1, func() {
			_, err = render(tmpl, [][2]string{{"user", "x"}}, true)
		})
		if err == nil {
			t.Errorf("%s: it came to an end", body)
		}
		if t.Failed() {
			t.Fatal(body)
		}
	}
}

// Values that are equal are one key, and none else.
func TestKeys(t *testing.T) {
	s, d := &state{steps: 1000, room: 1000}, newDict()
	for _, k := range []any{int64(1), true, 1.0, plain("1"), nil, &tuple{[]any{int64(1), plain("a")}}, &tuple{[]any{true, plain("a")}}, &tuple{[]any{plain("1"), plain("a")}}} {
		d.set(s, k, k)
	}
	if len(d.keys) != 5 {
		t.Errorf("%d keys, not 5: %v", len(d.keys), d.keys)
	}
}

func FuzzJinja(f *testing.F) {
	for _, s := range []string{
		"{% for m in messages %}{{ m.role ~ ': ' + m['content'] | trim }}{% endfor %}",
		"{%- set n = namespace(a=[]) -%}{% macro f(x, y=1) %}{{ x[::-1] * y }}{{ caller() }}{% endmacro %}{% call f('a', y=2) %}b{% endcall %}",
		"{{ {'a': (1, -2.5e3, none)} | tojson(indent=2) }}{{ '%05.2f' % 1 }}{{ [3, 1] | sort | map('string') | join('-') }}{% raw %}{{{% endraw %}",
	} {
		f.Add(s, "Why?")
	}
	f.Fuzz(func(t *testing.T, template, content string) {
		template = template[:min(len(template), 2000)]
		check.Bounded(t, len(template)+len(content), func() {
			if tmpl, err := Parse(template); err == nil {
				render(tmpl, [][2]string{{"user", content}, {"assistant", "b"}, {"user", content}}, true)
			}
		})
	})
}
