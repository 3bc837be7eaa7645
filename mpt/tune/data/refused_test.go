package data

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mptgo/mpt/chat"
)

// TestRefused: what is wrong is said with its place and what to do.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name, content string
		words         []string
	}{
		{"a.jsonl", "{\"text\": \"a\"}\n{\"prompt\": \"a\", \"response\": \"b\"}", []string{"a.jsonl:2:", "kind prompt", "a.jsonl:1 is of kind text"}},
		{"a.jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\"", []string{"a.jsonl:2:", "ends too early"}},
		{"a.jsonl", `{"foo": "a", "bar": 1}`, []string{"a.jsonl:1:", "the keys bar, foo", "--text-field", "messages"}},
		{"a.jsonl", `{}`, []string{"no keys"}},
		{"a.jsonl", `[1]`, []string{"a.jsonl:1:", "a list: want an object"}},
		{"a.jsonl", `{"text": "a", "instruction": "b", "output": "c"}`, []string{"text or alpaca", "--format"}},
		{"a.jsonl", `{"text": "a", "text": "b"}`, []string{`"text" is there twice`}},
		{"a.jsonl", `{"text": 3}`, []string{`"text" is 3: want a text`}},
		{"a.jsonl", `{"text": "` + "\xff" + `"}`, []string{"not UTF-8"}},
		{"a.jsonl", `{"messages": "x"}`, []string{"not JSON"}},
		{"a.jsonl", `{"messages": [{"role": "user", "content": "a"}, 3]}`, []string{"message 2"}},
		{"a.jsonl", `{"tokens": [1, 2.5]}`, []string{"item 1 is 2.5"}},
		{"a.jsonl", `{"tokens": [1, -2]}`, []string{"token 1 is -2", "another vocabulary"}},
		{"a.jsonl", `{"input_ids": [1, 2], "labels": [1, 5, -100]}`, []string{"labels: token 2 is -100"}},
		{"a.jsonl", strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200), []string{"nested deeper"}},
		{"a.jsonl", "\n\n", []string{"there are no rows"}},
		{"a.jsonl.gz", "no gzip", []string{"a.jsonl.gz: "}},
		{"a.json", `[{"text": "a"}, {"text": "b"} x`, []string{"a.json: row 3", "not JSON"}},
		{"a.json", `[{"text": "a"}] 1`, []string{"more text follows"}},
		{"a.csv", "", []string{"names the columns"}},
		{"a.csv", "text,text\na,b", []string{`"text" is there twice`}},
		{"a.csv", "prompt,response\na,b\na,b,c", []string{"line 3", "2 columns"}},
		{"a.txt", "a\n\xff", []string{"a.txt:2:", "UTF-8"}},
		{"a.pdf", "", []string{"a.pdf", "does not say", ".jsonl"}},
		{"index.json", "{}", []string{"name the folder"}},
	} {
		t.Run(c.name, func(t *testing.T) { fails(t, options(t), write(t, c.name, []byte(c.content)), c.words...) })
	}
	fails(t, options(t), filepath.Join(t.TempDir(), "none.jsonl"), "none.jsonl")
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		change func(*Options)
		word   string
	}{
		{func(o *Options) { o.Tokenizer = nil }, "tokenizer"},
		{func(o *Options) { o.Context = 1 }, "context of 1"},
		{func(o *Options) { o.Kind = "poem" }, `no kind of rows "poem"`},
		{func(o *Options) { o.Long = "fold" }, `"fold"`},
		{func(o *Options) { o.TargetPrompts = "length>=x" }, "length>=N"},
		{func(o *Options) { o.TargetResponses = "first" }, "last or all"},
		{func(o *Options) { o.TextField, o.PromptField = "a", "b" }, "one or the other"},
		{func(o *Options) { o.TextField, o.Kind = "a", kindChat }, "kind chat"},
	} {
		opt := options(t)
		c.change(&opt)
		if _, err := Open([]string{"x.jsonl"}, opt); err == nil || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%v, want a word of %q", err, c.word)
		}
	}
}

func TestFields(t *testing.T) {
	path := write(t, "a.jsonl", []byte(`{"story": "ab", "q": "c", "a": "d", "text": "x"}`+"\n"+`{"story": null, "q": null, "a": "d"}`))
	opt := options(t)
	opt.TextField = "story"
	if got := show(t, open(t, opt, path), 0); got != "ab⟦<|endoftext|>⟧" {
		t.Error(got)
	}
	document := write(t, "b.txt", []byte("cd"))
	for _, long := range []string{"", longTruncate} { // a text file that comes first has no columns
		opt.Long = long
		set := open(t, opt, document, path)
		if a, b := show(t, set, 0), show(t, set, 1); a != "c⟦d<|endoftext|>⟧" || b != "ab⟦<|endoftext|>⟧" {
			t.Errorf("%q: %s, %s", long, a, b)
		}
	}
	opt = options(t)
	opt.PromptField, opt.ResponseField = "q", "a"
	if got := show(t, open(t, opt, path), 0); got != "c⟦d<|endoftext|>⟧" {
		t.Error(got)
	}
	opt.ResponseField = "answer"
	fails(t, opt, path, `no "answer"`)
	opt = options(t)
	opt.Kind = kindText
	both := write(t, "b.jsonl", []byte(`{"text": "ab", "instruction": "c", "output": "d"}`))
	if got := show(t, open(t, opt, both), 0); got != "ab⟦<|endoftext|>⟧" {
		t.Error(got)
	}
	opt.Kind = kindChat
	fails(t, opt, both, "rows of kind chat have messages")
}

// TestMarkers: a vocabulary without the tokens of ChatML is refused, unless that is wanted.
func TestMarkers(t *testing.T) {
	path := write(t, "a.jsonl", []byte(`{"messages": [{"role": "user", "content": "Q<|endoftext|>"}, {"role": "assistant", "content": "A"}]}`))
	opt := options(t)
	opt.Tokenizer = vocabulary(t, false)
	fails(t, opt, path, "<|im_start|>", "--allow-plain-markers", "--chat-template")
	opt.PlainMarkers = true
	set := open(t, opt, path)
	if len(set.Summary.Notes) != 2 {
		t.Errorf("notes: %q", set.Summary.Notes)
	}
	opt.PlainMarkers = false
	dolly, err := chat.Named("dolly")
	if err != nil {
		t.Fatal(err)
	}
	opt.Format, opt.Chosen = dolly, true
	set = open(t, opt, path)
	if got := show(t, set, 0); !strings.HasPrefix(got, "Below is") || !strings.HasSuffix(got, "### Response:\n⟦A\n\n<|endoftext|>⟧") {
		t.Error(got)
	}
	row, err := set.Row(0)
	if err != nil {
		t.Fatal(err)
	}
	ends := 0
	for _, id := range row.Tokens {
		if id == opt.Tokenizer.EOS() {
			ends++
		}
	}
	if ends != 1 {
		t.Errorf("%d ends of text: what a user writes is no control token", ends)
	}
	alpaca := write(t, "b.jsonl", []byte(`{"instruction": "Q", "output": "A"}`))
	if got := show(t, open(t, opt, alpaca), 0); !strings.HasSuffix(got, "### Response:\n⟦A\n\n<|endoftext|>⟧") {
		t.Error(got)
	}
}

// TestRewritten: a template that takes back what it wrote cannot tell answers from prompts.
func TestRewritten(t *testing.T) {
	m := &chat.Model{Has: func(string) bool { return false }}
	format, err := m.Jinja(`{{ messages | length }}{% for m in messages %}{{ m['content'] }}{% endfor %}`)
	if err != nil {
		t.Fatal(err)
	}
	opt := options(t)
	opt.Format = format
	fails(t, opt, write(t, "a.jsonl", []byte(`{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]}`)),
		"a.jsonl:1:", "another way", `"1Q"`, `"2QA"`)
}

// TestLongLine: a row without end takes no more memory than is allowed.
func TestLongLine(t *testing.T) {
	for _, begin := range []string{`{"text": "`, `[{"text": "`, `[{"text": ["`, ``} {
		opt := options(t)
		opt.maxRow = 8 << 20
		opt.Stdin = io.MultiReader(strings.NewReader(begin), io.LimitReader(endless{}, 10<<30))
		if _, err := Open([]string{"-"}, opt); err == nil || !strings.Contains(err.Error(), "8 MB") {
			t.Errorf("%q without end: %v", begin, err)
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

// TestNoRoom: tokens need a folder that exists.
func TestNoRoom(t *testing.T) {
	opt := options(t)
	opt.TempDir = filepath.Join(t.TempDir(), "none")
	if _, err := Open([]string{"a.jsonl"}, opt); err == nil || !strings.Contains(fmt.Sprint(err), "temporary file") {
		t.Errorf("no folder for temporary files: %v", err)
	}
	if _, err := os.Stat(opt.TempDir); err == nil {
		t.Error("a folder was made")
	}
}

func TestFormatFor(t *testing.T) {
	const template = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"
	m := &chat.Model{Has: func(string) bool { return false }, Templates: map[string]string{"mine": template}}
	for choice, want := range map[string]string{
		"": "chatml", "dolly": "dolly", "mine": "jinja", template: "jinja", write(t, "t.jinja", []byte(template)): "jinja",
	} {
		if f, err := FormatFor(m, choice); err != nil || f.Name != want {
			t.Errorf("%q: %v, %v; want %s", choice, f, err, want)
		}
	}
	if _, err := FormatFor(m, "none"); err == nil || !strings.Contains(err.Error(), "nor is it a file") {
		t.Errorf("%v", err)
	}
	if f, err := FormatFor(&chat.Model{Has: m.Has, Template: template}, ""); err != nil || f.Name != "jinja" {
		t.Errorf("%v, %v", f, err)
	}
}
