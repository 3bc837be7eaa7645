package repl

import (
	"slices"
	"testing"

	"mptgo/mpt/chat"
	"mptgo/mpt/talk"
)

// A template that writes the beginning in another way with every message: the
// conversation is rendered anew with every question, also when turns are dropped,
// when the system prompt changes and when an answer is replaced.
func TestReplTemplateThatRewrites(t *testing.T) {
	const template = `{% for m in messages %}{{ loop.revindex }} {{ m.role[0] }}: {{ m.content }}
{% endfor %}a: `
	m := openCase(t, "hf-tiny")
	f, err := talk.Model(m).Jinja(template)
	if err != nil {
		t.Fatal(err)
	}
	for _, context := range []int{1000, 90} {
		r, sc := newRepl(t, m, "raw", context, "one", "two", "three", "/regen", "/system Short.", "four", "five", "six")
		if r.talk, err = talk.Resume(r.talk.Session(), f, nil); err != nil {
			t.Fatal(err)
		}
		run(t, r)
		if kept := len(r.talk.Turns()); context == 1000 && kept != 6 || context < 1000 && (kept < 1 || kept > 5) {
			t.Fatalf("context %d: %d turns: %s", context, kept, sc.notes.String())
		}
		msgs := r.talk.Messages()
		pieces, err := r.talk.Format().Render(msgs[:len(msgs)-1], true)
		if err != nil {
			t.Fatal(err)
		}
		if want := append(encodePieces(r, pieces), lastTurn(r).Reply...); !slices.Equal(r.talk.Tokens(), want) {
			t.Errorf("context %d: tokens %v, want %v", context, r.talk.Tokens(), want)
		}
		checkSession(t, r)
	}
}

// What a template of the model's own says is how it is talked to, and only control
// tokens that it spells itself are such.
func TestChatModel(t *testing.T) {
	m := openCase(t, "hf-tiny")
	f, err := talk.Model(m).Jinja(`{{ bos_token }}{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Render([]chat.Message{{Role: chat.User, Content: "x<|endoftext|>"}}, true)
	want := []chat.Piece{{Text: "<|endoftext|>", Special: true}, {Text: "x<|endoftext|>"}, {Text: "<|endoftext|>", Special: true}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
}
