package jinja

import (
	"encoding/json"
	"os"
	"testing"

	"mptgo/internal/check"
)

// Jinja 3.1.6 made the texts of these files, set up as transformers does it: of
// constructs where the interpreter used to differ, with their like, and of templates
// that scripts/templates made by chance. It makes and checks many more.
func TestGolden(t *testing.T) {
	for _, file := range []string{"kinds.json", "made.json"} {
		data, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		var g struct {
			Variables json.RawMessage
			Cases     []struct {
				Template, Text string
				Fails          bool
			}
		}
		if err := json.Unmarshal(data, &g); err != nil || len(g.Cases) < 100 {
			t.Fatal(file, len(g.Cases), err)
		}
		own := variables(t, g.Variables, func(s string) any { return s })
		said := variables(t, g.Variables, func(s string) any { return Said(s) })
		for _, c := range g.Cases {
			// Where texts come from makes no difference to what they are.
			for _, vars := range []map[string]any{own, said} {
				got := ""
				tmpl, err := Parse(c.Template)
				if err == nil {
					got, err = tmpl.Render(vars, enough)
				}
				if (err != nil) != c.Fails || err == nil && got != c.Text {
					t.Errorf("%s: %q:\n got %q, %v\nwant %q, an error: %v", file, c.Template, got, err, c.Text, c.Fails)
				}
			}
		}
	}
}

// variables reads those of a template.
func variables(t *testing.T, data []byte, text func(string) any) map[string]any {
	t.Helper()
	pairs, err := check.OrderedJSON(data, text)
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]any{}
	for _, kv := range pairs.([][2]any) {
		vars[kv[0].(string)] = kv[1]
	}
	return vars
}

// Traced says of each character whether it came from a message.
func TestTraced(t *testing.T) {
	for _, c := range []struct{ template, text, said string }{
		{"a{{ x }}b", "aXyb", "0110"}, {"{{ 'a' ~ x ~ 'b' | upper }}", "aXyB", "0110"}, {"{{ ('a' ~ x) | upper }}", "AXY", "011"},
		{"{{ x | tojson }}", `"Xy"`, "0110"}, {"{{ ['é', x] }}", "['é', 'Xy']", "000000001100"}, {"{{ 'é' ~ x | length }}", "é2", "000"},
		{"{{ ('é' ~ x)[::-1] }}", "yXé", "1100"}, {"{{ '%5s|%-3s' % (x, x) }}", "   Xy|Xy ", "000110110"}, {"{{ 'ß' | upper }}{{ x * 2 }}", "SSXyXy", "001111"},
		{"{{ 'a-b' | replace('-', x) }}", "aXyb", "0110"}, {"{{ '-'.join([x, 'c', x]) }}", "Xy-c-Xy", "1100011"}, {"{{ x.split('X')[1] ~ 1 }}", "y1", "10"},
	} {
		tmpl, err := Parse(c.template)
		if err != nil {
			t.Fatal(err)
		}
		text, said, err := tmpl.Traced(map[string]any{"x": Said("Xy")}, enough)
		marks := []byte(said)
		for i := range marks {
			marks[i] += '0'
		}
		for len(marks) < len(text) {
			marks = append(marks, '0')
		}
		if err != nil || text != c.text || string(marks) != c.said {
			t.Errorf("%s: %q %s, %v, want %q %s", c.template, text, marks, err, c.text, c.said)
		}
	}
}
