package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mptgo/mpt"
	"mptgo/mpt/chat"
)

// openWithBOS opens a reference checkpoint whose vocabulary asks for bos.
func openWithBOS(t *testing.T) *mpt.Model {
	t.Helper()
	path := convertCase(t, "hf-tiny", "F32")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	key := []byte("tokenizer.ggml.add_bos_token\x07\x00\x00\x00") // a bool
	at := bytes.Index(b, key)
	if at < 0 {
		t.Fatal("no such key")
	}
	b[at+len(key)] = 1
	path = filepath.Join(t.TempDir(), "bos.gguf")
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	m, err := mpt.Open(path, mpt.Threads(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// A chat with a fixed format begins with bos where the vocabulary asks for it, as run
// does; a template in Jinja writes its own, or leaves it out.
func TestChatBeginsWithBOS(t *testing.T) {
	m := openWithBOS(t)
	bos := m.Tokenizer().BOS()
	count := func(ids []int32) (n int) {
		for _, id := range ids {
			if id == bos {
				n++
			}
		}
		return n
	}
	for _, f := range chat.Formats() {
		r, _ := newRepl(t, m, f.Name, 600, "one", "two")
		run(t, r)
		ids := r.talk.tokens()
		if ids[0] != bos || len(r.talk.turns) != 2 || count(r.talk.turns[1].Prompt) != 0 {
			t.Errorf("%s: the conversation is %v", f.Name, ids)
		}
		if err := r.talk.setSystem("Be brief."); err == nil {
			if got := r.talk.tokens(); got[0] != bos || count(r.talk.turns[0].Prompt) != 1 {
				t.Errorf("%s: with another system prompt it is %v", f.Name, got)
			}
		}
		if err := r.talk.dropOldest(); err != nil {
			t.Fatal(err)
		}
		if got := r.talk.tokens(); got[0] != bos || count(r.talk.turns[0].Prompt) != 1 {
			t.Errorf("%s: without the first turn it is %v", f.Name, got)
		}
	}
	raw, err := promptIDs(m.Tokenizer(), "one", false)
	if err != nil {
		t.Fatal(err)
	}
	r, _ := newRepl(t, m, "raw", 600, "one")
	run(t, r)
	if got := r.talk.turns[0].Prompt; !slices.Equal(got, raw) {
		t.Errorf("raw: a chat reads %v, run %v", got, raw)
	}
}

func TestTemplateWritesItsOwnBOS(t *testing.T) {
	m := openWithBOS(t)
	for _, template := range []string{
		`{% for message in messages %}{{ message['content'] }}{% endfor %}`,
		// One that is known, and is replaced by a fixed format.
		`{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}` +
			`{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`,
	} {
		r, _ := newRepl(t, m, "raw", 256, "one")
		f, err := chatModel(m).Jinja(template)
		if err != nil {
			t.Fatal(err)
		}
		r.talk = newConversation(r.talk.session, f, r.talk.status)
		run(t, r)
		if slices.Contains(r.talk.turns[0].Prompt, m.Tokenizer().BOS()) {
			t.Errorf("%s: %v", f.Name, r.talk.turns[0].Prompt)
		}
	}
}
