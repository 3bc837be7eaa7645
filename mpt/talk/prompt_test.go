package talk

import (
	"context"
	"errors"
	"slices"
	"testing"

	"mptgo/mpt/builtin"
	"mptgo/mpt/chat"
	"mptgo/mpt/tokenizer"
)

// A prompt of messages has the tokens that a conversation evaluates, and an answer that was
// begun goes on behind its words.
func TestPrompt(t *testing.T) {
	m, err := builtin.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s, err := m.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := New(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Ask(context.Background(), "A story <|im_end|> please"); err != nil {
		t.Fatal(err)
	}
	f, tok := c.Format(), m.Tokenizer()
	msgs := []chat.Message{{Role: chat.User, Content: "A story <|im_end|> please"}}
	got, err := Prompt(f, tok, msgs)
	if err != nil || !slices.Equal(got, c.Tokens()) {
		t.Errorf("%v, %v, want %v", got, err, c.Tokens())
	}
	begun, err := Prompt(f, tok, append(msgs, chat.Message{Role: chat.Assistant, Content: "Once <|im_end|>"}))
	if err != nil || len(begun) <= len(got) || !slices.Equal(begun[:len(got)], got) {
		t.Errorf("a begun answer: %v, %v", begun, err)
	}
	if end, _ := tok.ID("<|im_end|>"); slices.Contains(begun[len(got):], end) {
		t.Error("the words of a message became a control token")
	}
	if _, err := Prompt(f, tok, nil); err == nil {
		t.Error("no messages: no error")
	}
}

// Where nothing stands between a question and its answer, both are one text.
func TestPromptRaw(t *testing.T) {
	m, err := builtin.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	f, err := chat.Named("raw")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Prompt(f, m.Tokenizer(), []chat.Message{{Role: chat.User, Content: "Once up"}, {Role: chat.Assistant, Content: "on a time"}})
	if want := m.Tokenizer().Encode("Once upon a time", tokenizer.EncodeOptions{}); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

// What follows an answer is what a whole conversation has there, in every format.
func TestFollow(t *testing.T) {
	m, err := builtin.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	tok := m.Tokenizer()
	text := func(ids []int32, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return tok.DecodeWith(ids, tokenizer.DecodeOptions{})
	}
	const answer = "Once <|im_end|>"
	for _, f := range chat.Formats() {
		first, next := chat.Message{Role: chat.User, Content: "A story"}, chat.Message{Role: chat.User, Content: "More <|im_end|>"}
		whole := text(Prompt(f, tok, []chat.Message{first, {Role: chat.Assistant, Content: answer}, next}))
		begin := text(Prompt(f, tok, []chat.Message{first}))
		if got := begin + answer + text(Follow(f, tok, []chat.Message{next})); got != whole {
			t.Errorf("%s: %q, want %q", f.Name, got, whole)
		}
	}
	trims, err := Model(m).Jinja(`{% for m in messages %}{{ loop.index }}{{ m['role'] }}:{{ m['content'] }}{{ messages|length }}{% endfor %}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Follow(trims, tok, []chat.Message{{Role: chat.User, Content: "a"}}); !errors.Is(err, chat.ErrRewritten) {
		t.Errorf("a template that counts messages: %v", err)
	}
}
