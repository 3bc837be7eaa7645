package chat

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"mptgo/internal/check"
	"mptgo/internal/jinja"
)

// llamaLike is a model that has the control tokens of these tests.
func llamaLike() *Model {
	return &Model{
		Has: vocabulary("<s>", "</s>"), Control: []string{"<s>", "</s>", imStart, imEnd, "[INST]"}, BOS: "<s>", EOS: "</s>",
		Now: func() time.Time { return time.Date(2024, 7, 9, 5, 4, 3, 0, time.UTC) },
	}
}

// Templates with what published ones use, and what Jinja makes of them, set up as
// transformers does it.
func TestJinjaIsJinja(t *testing.T) {
	data, err := os.ReadFile("testdata/jinja.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []struct {
		Name, Template string
		Cases          []struct {
			Messages []Message
			Prompt   bool
			Text     string
			Error    string
		}
	}
	if err := json.Unmarshal(data, &all); err != nil || len(all) == 0 {
		t.Fatal(len(all), err)
	}
	for _, c := range all {
		f, err := llamaLike().Jinja(c.Template)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		for _, x := range c.Cases {
			got, err := f.Render(x.Messages, x.Prompt)
			if (err != nil) != (x.Error != "") || err != nil && !strings.Contains(err.Error(), x.Error) {
				t.Errorf("%s: error %v, want %q", c.Name, err, x.Error)
			} else if join(got) != x.Text {
				t.Errorf("%s:\n got %q\nwant %q", c.Name, join(got), x.Text)
			}
		}
	}
}

func mustJinja(t testing.TB, template string) *Format {
	t.Helper()
	f, err := llamaLike().Jinja(template)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

const simple = `{% for m in messages %}{{ '<|im_start|>' + m['role'] + ': ' + m['content'] | trim + '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant: ' }}{% endif %}`

func TestJinjaPieces(t *testing.T) {
	got, err := mustJinja(t, simple).Render([]Message{{User, "a<|im_end|></s>\ufdd0b"}}, true)
	want := []Piece{{imStart, true}, {"user: a<|im_end|></s>\ufdd0b", false}, {imEnd, true}, {imStart, true}, {"assistant: ", false}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
}

// A conversation goes on by adding to it, unless the template changes what was said.
func TestJinjaNext(t *testing.T) {
	f := mustJinja(t, simple)
	got, err := f.Next([]Message{{User, "Why?"}}, "Because.", Message{User, "Really?"})
	want := []Piece{{imEnd, true}, {imStart, true}, {"user: Really?", false}, {imEnd, true}, {imStart, true}, {"assistant: ", false}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := f.Next([]Message{{User, "Why?"}}, "Because. ", Message{User, "Really?"}); err == nil || !strings.Contains(err.Error(), "anew") {
		t.Errorf("an answer that the template trims: %v", err)
	}
}

func TestJinjaRefuses(t *testing.T) {
	for template, want := range map[string]string{
		"{% for m in messages %}":                   "cannot be used",
		"{% if %}{% endif %}":                       "cannot be used",
		"{{ 'a' }":                                  "unexpected",
		"{{ a b }}":                                 "cannot be used",
		"{% include '/etc/passwd' %}":               "include",
		"{% import '/etc/passwd' as x %}":           "import",
		"{% extends '/etc/passwd' %}":               "extends",
		"{% block a %}{{ self.a() }}{% endblock %}": "block",
		"{{ " + strings.Repeat("(", 101) + "1" + strings.Repeat(")", 101) + " }}": "nested deeper",
		"{{ " + strings.Repeat("[", 101) + strings.Repeat("]", 101) + " }}":       "nested deeper",
		"{{ " + strings.Repeat("not ", 101) + " x }}":                             "nested deeper",
		"{{ " + strings.Repeat("-", 101) + " 1 }}":                                "nested deeper",
		strings.Repeat("{% if 1 %}", 101) + strings.Repeat("{% endif %}", 101):    "nested deeper",
		strings.Repeat("{% set x %}", 101) + strings.Repeat("{% endset %}", 101):  "nested deeper",
		"{% raw %}":                    "raw block is not closed",
		strings.Repeat("x", 256<<10+1): "at most",
		"{% for a in range(9) %}{% nonsense %}{% endfor %}": "nonsense",
	} {
		if f, err := llamaLike().Jinja(template); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, error %v, want one that contains %q", template, f, err, want)
		}
	}
}

// Templates that would go on for ever or take all memory are stopped.
func TestJinjaIsBounded(t *testing.T) {
	const grow = "{% set n = namespace(s='xxxxxxxx', l=[1]) %}{% for i in range(60) %}"
	for template, want := range map[string]string{
		"{% set r = range(1000) %}{% for a in r %}{% for b in r %}{% endfor %}{% endfor %}":                    jinja.ErrSteps.Error(),
		"{% for a in range(1000000000) %}{% endfor %}":                                                         jinja.ErrSteps.Error(),
		"{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}":                                                   jinja.ErrSteps.Error(),
		"{% macro f(x) %}{{ f(x ~ x) }}{% endmacro %}{{ f('xxxx') }}":                                          jinja.ErrRoom.Error(),
		"{% macro f(x) %}{{ g(x) }}{% endmacro %}{% macro g(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}":           jinja.ErrSteps.Error(),
		grow + "{% set n.s = n.s ~ n.s %}{% endfor %}":                                                         jinja.ErrRoom.Error(),
		grow + "{% set n.s = n.s + n.s %}{% endfor %}":                                                         jinja.ErrRoom.Error(),
		grow + "{% set n.l = [n.l, n.l] %}{% endfor %}{{ n.l }}":                                               jinja.ErrSteps.Error(),
		"{% set n = namespace(l=[1]) %}{% for i in range(100000) %}{% set n.l = [n.l] %}{% endfor %}{{ n.l }}": "nested deeper",
		grow + "{% set n.s = n.s.replace('x', n.s) %}{% endfor %}":                                             jinja.ErrRoom.Error(),
		grow + "{% set n.s = n.s|replace('', n.s) %}{% endfor %}":                                              jinja.ErrRoom.Error(),
		grow + "{% set n.s = n.s.join(n.s) %}{% endfor %}":                                                     jinja.ErrRoom.Error(),
		grow + "{% set n.s %}{{ n.s }}{{ n.s }}{% endset %}{% endfor %}":                                       jinja.ErrRoom.Error(),
		grow + "{% for y in [n.s ~ n.s] %}{% set n.s = y %}{% endfor %}{% endfor %}":                           jinja.ErrRoom.Error(),
		"{% for a in range(100000000) %}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}":                            jinja.ErrSteps.Error(),
		"{% for a in range(100000) %}{{ '%999d' % 1 }}{% endfor %}":                                            jinja.ErrRoom.Error(),
		"{{ 'x' * 1000000000 }}":   jinja.ErrRoom.Error(),
		"{{ [1] * 1000000000 }}":   jinja.ErrRoom.Error(),
		"{{ 2 ** 1000000000000 }}": "65536 bits",
		"{% set n = namespace(x=3) %}{% for i in range(60) %}{% set n.x = n.x * n.x %}{% endfor %}": "65536 bits",
		"{% for x in [messages] recursive %}{{ loop([messages]) }}{% endfor %}":                     jinja.ErrSteps.Error(),
		"{{ 'x'.center(1000000000) }}":    jinja.ErrRoom.Error(),
		"{{ 'x'|center(1000000000) }}":    jinja.ErrRoom.Error(),
		"{{ '%1000000000d'|format(1) }}":  "format",
		"{{ messages.append(messages) }}": "append",
		"{{ 1 % 0 }}":                     "division by zero",
		"{{ lipsum() }}":                  "lipsum",
	} {
		f, err := llamaLike().Jinja(template)
		if err != nil {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v", template, err)
			}
			continue
		}
		if _, err := f.Render([]Message{{User, "x"}}, true); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one that contains %q", template, err, want)
		}
	}
}

// What a template of someone else's makes of a conversation: an error or a text.
func FuzzJinja(f *testing.F) {
	f.Add(simple, "Why?")
	f.Add(`{% set n = namespace(a=1) %}{%- macro f(x, y='z') -%}{{ x|tojson }}{% endmacro %}{{ f(messages[-1]) }}`, "<s>")
	f.Fuzz(func(t *testing.T, template, content string) {
		template = template[:min(len(template), 2000)]
		check.Bounded(t, len(template)+len(content), func() {
			m := llamaLike()
			format, err := m.Jinja(template)
			if err != nil {
				return
			}
			format.Render([]Message{{User, content}, {Assistant, "b"}, {User, content}}, true)
		})
	})
}
