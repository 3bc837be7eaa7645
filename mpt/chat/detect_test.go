package chat

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mptgo/internal/check"
)

// rendered is what Jinja, set up as transformers does it, made of a template.
type rendered struct {
	Name, Template string
	Cases          []struct {
		Messages []Message
		Prompt   bool
		Text     string
	}
}

func readRendered(t testing.TB) []rendered {
	t.Helper()
	data, err := os.ReadFile("testdata/templates.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []rendered
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// join returns the text of pieces.
func join(pieces []Piece) string {
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.Text)
	}
	return b.String()
}

func vocabulary(tokens ...string) func(string) bool {
	return func(t string) bool { return slices.Contains(tokens, t) }
}

func TestTemplatesRenderAsInJinja(t *testing.T) {
	for _, r := range readRendered(t) {
		f, err := detect(r.Template, vocabulary(), "")
		if err != nil {
			t.Errorf("%s: %v", r.Name, err)
			continue
		}
		for _, c := range r.Cases {
			got, err := f.Render(c.Messages, c.Prompt)
			if err != nil && strings.Contains(err.Error(), "no user message") {
				continue // asked to answer nothing
			}
			if err != nil || join(got) != c.Text {
				t.Errorf("%s, %v, prompt %v:\n got %q, %v\nwant %q", r.Name, c.Messages, c.Prompt, join(got), err, c.Text)
			}
		}
	}
}

func TestDetectRefusesOtherTemplates(t *testing.T) {
	const each, prompt = eachMessage, generationPrompt
	for name, template := range map[string]string{
		"no generation prompt":   `{% for message in messages %}` + each + `{% endfor %}`,
		"another one":            `{% for message in messages %}` + each + `{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>bot\n' }}{% endif %}`,
		"trimmed content":        `{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] | trim + '<|im_end|>\n' }}{% endfor %}` + prompt,
		"stripped content":       `{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'].strip() + '<|im_end|>\n' }}{% endfor %}` + prompt,
		"only some messages":     `{% for message in messages[1:] %}` + each + `{% endfor %}` + prompt,
		"text before":            `{{ bos_token }}{% for message in messages %}` + each + `{% endfor %}` + prompt,
		"text behind":            `{% for message in messages %}` + each + `{% endfor %}` + prompt + `.`,
		"a space instead":        `{% for message in messages %}{{ '<|im_start|>' + message['role'] + ' ' + message['content'] + '<|im_end|>\n' }}{% endfor %}` + prompt,
		"a new line that counts": "{% for message in messages %}" + each + "\n{% endfor %}" + prompt,
		"two default messages": `{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}` +
			`{{ '<|im_start|>system\nA<|im_end|>\n<|im_start|>user\nB<|im_end|>\n' }}{% endif %}` + each + `{% endfor %}` + prompt,
		"an empty default message": `{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}` +
			`{{ '<|im_start|>system\n<|im_end|>\n' }}{% endif %}` + each + `{% endfor %}` + prompt,
		"other roles":     `{% for message in messages %}{{ '<|im_start|>' + message['from'] + '\n' + message['value'] + '<|im_end|>\n' }}{% endfor %}` + prompt,
		"an expression":   `{% for message in messages %}{{ ('<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n') if true else '' }}{% endfor %}` + prompt,
		"the hole itself": `{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}` + "{{ '<|im_start|>system\n\x00<|im_end|>\n' }}" + `{% endif %}` + each + `{% endfor %}` + prompt,
		"not closed":      `{% for message in messages %}{{ 'x`,
		"a string open":   `{{ 'x }}`,
		"an odd escape":   `{{ '\x3c|im_start|>' }}`,
		"a plus":          `{%+ for message in messages %}` + each + `{% endfor %}` + prompt,
		"just text":       "hello",
	} {
		f, err := detect(template, vocabulary(imStart, imEnd), "mpt-7b-chat")
		if err == nil {
			t.Errorf("%s: taken for %s", name, f.Name)
			continue
		}
		for _, want := range []string{"not one that is known", "by its name (chatml, "} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error %q does not say %q", name, err, want)
			}
		}
	}
}

func TestDetect(t *testing.T) {
	both := vocabulary(imStart, imEnd, endOfText)
	for _, c := range []struct {
		name  string
		has   func(string) bool
		want  string
		error string
	}{
		{"", vocabulary(endOfText), "raw", ""},
		{"", both, "chatml", ""},
		{"", vocabulary(imStart), "raw", ""},
		{"something-7b", both, "chatml", ""},
		{"mosaicml/mpt-7b-chat", both, "mpt-7b-chat", ""},
		{"MPT 7B Chat", both, "mpt-7b-chat", ""},
		{"mpt-7b-8k-chat", both, "mpt-30b-chat", ""},
		{"mpt-30b-chat", both, "mpt-30b-chat", ""},
		{"mpt-30b-chat", vocabulary(endOfText), "", "its vocabulary lacks them"},
		{"mpt-7b-instruct", vocabulary(), "mpt-instruct", ""},
		{"mpt7b_instruct.q4", vocabulary(), "mpt-instruct", ""},
		{"Mpt 7b 8k Instruct", vocabulary(), "mpt-30b-instruct", ""},
		{"MPT-7B-Instruct-8k", vocabulary(), "mpt-30b-instruct", ""},
		{"MPT-7B-Chat-8k", both, "mpt-30b-chat", ""},
		{"mpt-1b-redpajama-200b-dolly", vocabulary(), "mpt-instruct", ""},
		{"mpt-30b-instruct-peft-compatible", vocabulary(), "mpt-30b-instruct", ""},
		{"sea-lion-7b-instruct", vocabulary(), "sealion", ""},
		{"mpt-7b-storywriter", vocabulary(), "raw", ""},
		{"mpt-7b", vocabulary(), "raw", ""},
	} {
		f, err := detect(" \n", c.has, c.name)
		switch {
		case c.error != "":
			if err == nil || !strings.Contains(err.Error(), c.error) {
				t.Errorf("%q: got %v, want an error with %q", c.name, err, c.error)
			}
		case err != nil:
			t.Errorf("%q: %v", c.name, err)
		case f.Name != c.want:
			t.Errorf("%q: got %s, want %s", c.name, f.Name, c.want)
		}
	}
}

// A model that is called something of its own may have been made of a published one.
func TestDetectBases(t *testing.T) {
	both := vocabulary(imStart, imEnd)
	for _, c := range []struct {
		name  string
		bases []string
		has   func(string) bool
		want  string
	}{
		{"pirate", []string{"mosaicml/mpt-7b-instruct"}, vocabulary(), "mpt-instruct"},
		{"pirate", []string{"mosaicml/mpt-7b", "mosaicml/mpt-30b-instruct"}, vocabulary(), "mpt-30b-instruct"},
		{"pirate", []string{"mosaicml/mpt-7b-instruct"}, both, "chatml"}, // the tokens were added for something
		{"pirate", []string{"mosaicml/mpt-30b-chat"}, both, "mpt-30b-chat"},
		{"pirate", []string{"mosaicml/mpt-30b-chat"}, vocabulary(), "raw"},
		{"mpt-7b-instruct", []string{"mosaicml/mpt-30b-instruct"}, vocabulary(), "mpt-instruct"},
		{"pirate", []string{"gpt2"}, vocabulary(), "raw"},
	} {
		m := Model{Name: c.name, Bases: c.bases, Has: c.has}
		if f, err := m.Detect(); err != nil || f.Name != c.want {
			t.Errorf("%s of %q: %v, %v, want %s", c.name, c.bases, f, err, c.want)
		}
	}
}

func TestSoundsTuned(t *testing.T) {
	for name, want := range map[string]bool{"my-Instruct-3": true, "sea_lion.chat": true, "mpt-7b": false, "": false, "mpt-7b-storywriter": false} {
		if SoundsTuned(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

// A prompt in a format is known from any other text.
func TestWrote(t *testing.T) {
	for _, f := range Formats() {
		pieces, err := f.Render([]Message{{User, "What is a quoll?"}}, true)
		if err != nil {
			t.Fatal(err)
		}
		if raw := f.Name == "raw"; f.Wrote(join(pieces)) == raw || f.Wrote("What is a quoll?") {
			t.Errorf("%s: not told apart", f.Name)
		}
	}
}

func TestDetectStoryModel(t *testing.T) {
	data, err := os.ReadFile(check.Shared(t, "models", "mpt-stories", "tokenizer_config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Template string `json:"chat_template"`
	}
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	f, err := detect(config.Template, vocabulary(), "")
	if err != nil || f.Name != "chatml" || f.System != "" {
		t.Errorf("got %+v, %v, want chatml without a system prompt", f, err)
	}
}

func TestDefaultSystemIsRead(t *testing.T) {
	want := map[string]string{
		"default system":                     "You are 'kind'.\nAnd brief.",
		"default system with real new lines": "You help.",
		"default system first":               "You help.",
		"default system set":                 "You help.",
	}
	for _, r := range readRendered(t) {
		f, err := detect(r.Template, vocabulary(), "")
		if err != nil || f.System != want[r.Name] {
			t.Errorf("%s: got %v, %v, want the system prompt %q", r.Name, f, err, want[r.Name])
		}
	}
}

func TestNormalForm(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []node
	}{
		{"", nil},
		{"a\n", []node{{outputText, "a"}}},
		{"a\r\nb\n\n", []node{{outputText, "a\nb\n"}}},
		{"a{b}{", []node{{outputText, "a{b}{"}}},
		{"a {{- 'b' -}} c", []node{{outputText, "abc"}}},
		{"a {{ 'b' }} c", []node{{outputText, "a b c"}}},
		{"{{ 'a' + \"b\\n\" ~ 'c' }}{# no #}d", []node{{outputText, "ab\ncd"}}},
		{"  {% x %}\n  {% y %}\nz", []node{{statement, "x\x02"}, {statement, "y\x02"}, {outputText, "z"}}},
		{"a {% x %}\n\nb", []node{{outputText, "a "}, {statement, "x\x02"}, {outputText, "\nb"}}},
		{"{% x %} {% y %}", []node{{statement, "x\x02"}, {outputText, " "}, {statement, "y\x02"}}},
		{"{{ '}}' }}{{ \"%}\" }}", []node{{outputText, "}}%}"}}},
		{"{{ a.b }}", []node{{outputExpr, "a\x02[\x02\x01b\x01\x02]\x02"}}},
		{"{{ a.b() }}", []node{{outputExpr, "a\x02.\x02b\x02(\x02)\x02"}}},
		{"{{ 'a' + b | c }}", []node{{outputText, "a"}, {outputExpr, "b\x02|\x02c\x02"}}},
		{"{{ 'a' + b * 2 }}", []node{{outputExpr, "\x01a\x01\x02+\x02b\x02*\x022\x02"}}},
		{"{{ 'a' if b }}", []node{{outputExpr, "\x01a\x01\x02if\x02b\x02"}}},
		{"{% if a>=b %}", []node{{statement, "if\x02a\x02>=\x02b\x02"}}},
	} {
		got, err := normalForm(c.in)
		if err != nil || len(got)+len(c.want) > 0 && !reflect.DeepEqual(got, c.want) {
			t.Errorf("normalForm(%q) = %q, %v, want %q", c.in, got, err, c.want)
		}
	}
}

func FuzzDetect(f *testing.F) {
	for _, r := range readRendered(f) {
		f.Add(r.Template)
	}
	for _, s := range []string{"{", "{{", "{%-", "{{ '\\", "{#", "{% if add_generation_prompt is not defined %}", "{{ ) + ( }}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, template string) {
		var form *Format
		var err error
		check.Bounded(t, len(template), func() { form, err = detect(template, vocabulary(), "") })
		if err != nil || strings.TrimSpace(template) == "" {
			return
		}
		// What is recognised renders.
		if _, err := form.Render([]Message{{User, "a"}, {Assistant, "b"}, {User, "c"}}, true); err != nil {
			t.Errorf("%s: %v", form.Name, err)
		}
	})
}
