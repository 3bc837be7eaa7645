package jinja

import (
	"errors"
	"strings"
	"testing"

	"mptgo/internal/check"
)

// Work that grows with the square of a template, or that lists cause where they are
// compared, is bounded like all other.
func TestWorkIsCounted(t *testing.T) {
	for name, template := range map[string]string{
		"lists":         "{% set a = [0]*600000 %}{% set b = [1]*600000 %}{% for i in range(20000) %}{% if a < b %}{% endif %}{% endfor %}ok",
		"equal lists":   "{% set a = [0]*300000 %}{% set b = [0]*300000 %}{% for i in range(20000) %}{% if a <= b %}{% endif %}{% endfor %}ok",
		"tuples":        "{% set a = (0,)*600000 %}{% set b = (1,)*600000 %}{% for i in range(20000) %}{% if b > a %}{% endif %}{% endfor %}ok",
		"lists of list": "{% set a = [[0]*300000] %}{% set b = [[1]*300000] %}{% for i in range(20000) %}{% if a < b %}{% endif %}{% endfor %}ok",
		"sorted lists":  "{% set a = [0]*100000 %}{% for i in range(20000) %}{% set x = [a, a, a] | sort %}{% endfor %}ok",
		"large ints":    "{% set a = 3 ** 40000 %}{% for i in range(100000) %}{% set x = a * 3 // 7 % a %}{% endfor %}ok",
		"powers":        "{% for i in range(100000) %}{% set x = 1.5 ** 2.5 %}{% endfor %}ok",
		"final sigmas":  "{% set a = ('\u03a3' ~ \"'\" * 1000) * 900 %}{% for i in range(1000) %}{% set x = a | lower %}{% endfor %}ok",
		"wide formats":  "{% for i in range(100000) %}{% set x = '%999999d' % 1 %}{% endfor %}ok",
		"wide padding":  "{% for i in range(100000) %}{% set x = 'a'.center(999999) %}{% endfor %}ok",
		"splits":        "{% set a = 'a ' * 500000 %}{% for i in range(1000) %}{% set x = a.rsplit() %}{% endfor %}ok",
		"ranges":        "{% for i in range(1000) %}{% set x = range(100000) | list %}{% endfor %}ok",
		"attributes":    "{% set a = [{'a': 'x'}] * 100000 %}{% for i in range(1000) %}{% set x = a | sort(attribute='a,a,a') %}{% endfor %}ok",
		"namespaces":    "{% set n = namespace() %}{% for i in range(100000) %}{% set n.a = [n, n] %}{% endfor %}{{ n }}ok",
	} {
		if testing.Short() && name != "lists" {
			continue
		}
		tmpl, err := Parse(template)
		if err != nil {
			t.Fatal(name, err)
		}
		check.Bounded(t, 1, func() { _, err = render(tmpl, nil, true) })
		if t.Failed() {
			t.Fatal(name)
		}
		if err != nil && !errors.Is(err, ErrSteps) && !errors.Is(err, ErrRoom) && !strings.Contains(err.Error(), "nested deeper") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Templates that are long, and wrong in a way that is seen only at their end.
func TestLongSources(t *testing.T) {
	for name, part := range map[string]string{
		"raw": "{% raw %}{%", "raw with spaces": "{% raw %}{%          ", "raw that nearly ends": "{% raw %}{% endraw", "comments": "{# #}{#", "quotes": "{{ 'a",
		"texts": "{{ 'a' ", "escapes": "{{ '\\x41", "numbers": "{{ 1_", "names": "{{ a", "sums": "{{ 1+", "filters": "{{ 1|abs", "tags": "{% if 1 %}{% endif %}", "spaces": "{{          ",
		"new lines": "\n{% if 1 -%}\n", "sets": "{% set a %}{% endset %}", "lists": "{{ [1,", "arguments": "{{ f(a=1,",
	} {
		head, again := part, part
		if i := strings.LastIndex(part, "{"); i > 0 && name != "tags" && name != "sets" && name != "new lines" {
			again = part[i:]
		} else if strings.HasPrefix(part, "{{ ") {
			again = part[3:]
		}
		source := head + strings.Repeat(again, (maxSource-len(head))/len(again))
		check.Bounded(t, 1, func() { Parse(source) })
		if t.Failed() {
			t.Fatal(name)
		}
	}
}
