package talk

import (
	"slices"
	"strings"
	"testing"

	"mptgo/gguf"
	"mptgo/internal/forge"
	"mptgo/mpt"
	"mptgo/mpt/chat"
	"mptgo/mpt/tokenizer"
)

// withBOS returns a session with a small model whose vocabulary asks for bos.
func withBOS(t *testing.T) *mpt.Session {
	t.Helper()
	b := forge.NewMini().Set("tokenizer.ggml.bos_token_id", uint32(256)).Set("tokenizer.ggml.add_bos_token", true).
		Set("mpt.context_length", uint32(4096)).File(t)
	f, err := gguf.Parse("mini", b)
	if err != nil {
		t.Fatal(err)
	}
	m, err := mpt.Load(f, mpt.Threads(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	s, err := m.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// A chat with a fixed format begins with bos where the vocabulary asks for it, as any
// prompt does, once; a template in Jinja writes its own, or leaves it out.
func TestChatBeginsWithBOS(t *testing.T) {
	bos := func(s *mpt.Session, c *Conversation) (first bool, n int) {
		for _, u := range c.Turns() {
			for _, id := range u.Prompt {
				if id == s.Model().Tokenizer().BOS() {
					n++
				}
			}
		}
		return c.Tokens()[0] == s.Model().Tokenizer().BOS(), n
	}
	s := withBOS(t)
	for _, f := range chat.Formats() {
		c := resumed(t, s, f)
		say(t, c, "one", "two")
		if first, n := bos(s, c); !first || n != 1 {
			t.Errorf("%s: the conversation is %v", f.Name, c.Tokens())
		}
		if c.SetSystem("Be brief.") == nil {
			if first, n := bos(s, c); !first || n != 1 {
				t.Errorf("%s: with another system prompt it is %v", f.Name, c.Tokens())
			}
		}
		if err := c.dropOldest(); err != nil {
			t.Fatal(err)
		}
		if first, n := bos(s, c); !first || n != 1 {
			t.Errorf("%s: without the first turn it is %v", f.Name, c.Tokens())
		}
	}
	raw, err := chat.Named("raw")
	if err != nil {
		t.Fatal(err)
	}
	c := resumed(t, s, raw)
	say(t, c, "one")
	want := s.Model().Tokenizer().Encode("one", tokenizer.EncodeOptions{AddSpecial: true})
	if got := c.Turns()[0].Prompt; !slices.Equal(got, want) {
		t.Errorf("raw: a chat reads %v, a prompt is %v", got, want)
	}
	for _, template := range []string{
		`{% for message in messages %}{{ message['content'] }}{% endfor %}`,
		// One that is known, and is replaced by a fixed format.
		`{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}` +
			`{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`,
	} {
		f, err := Model(s.Model()).Jinja(template)
		if err != nil {
			t.Fatal(err)
		}
		c := resumed(t, s, f)
		say(t, c, "one")
		if first, n := bos(s, c); first || n != 0 {
			t.Errorf("%s: %v", f.Name, c.Tokens())
		}
	}
}

// resumed returns a conversation without turns.
func resumed(t *testing.T, s *mpt.Session, f *chat.Format) *Conversation {
	t.Helper()
	c, err := Resume(s, f, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Turns without their format are refused, and who resumes them is told which it is.
func TestResumeWithoutFormat(t *testing.T) {
	s := withBOS(t)
	c, err := Resume(s, nil, []Turn{{Question: "one"}})
	if c != nil || err == nil || !strings.Contains(err.Error(), "Detect()") {
		t.Errorf("%v, %v", c, err)
	}
}

// The names of a file decide about the format, of which those of other writers have none.
func TestModelOf(t *testing.T) {
	for want, names := range map[string][]string{"mpt-instruct": {"mosaicml/mpt-7b", "Mpt 7b Instruct"}, "raw": nil} {
		m := forge.NewMini().Set("general.name", "pirate")
		if names != nil {
			m.Set("general.base_model.count", uint32(1<<31)).Set("general.base_model.0.name", names[0]).Set("general.base_model.1.name", names[1])
		} else {
			m.Set("general.base_model.count", "many")
		}
		f, err := gguf.Parse("mini", m.File(t))
		if err != nil {
			t.Fatal(err)
		}
		tok, err := tokenizer.FromGGUF(f)
		if err != nil {
			t.Fatal(err)
		}
		got := ModelOf(f, tok)
		if format, err := got.Detect(); err != nil || format.Name != want || got.Name != "pirate" || !slices.Equal(got.Bases, names) {
			t.Errorf("%+v: %v, %v", got, format, err)
		}
	}
}
