package talk

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"mptgo/mpt"
	"mptgo/mpt/builtin"
	"mptgo/mpt/chat"
)

// begun returns a conversation with the built-in model, in the ChatML format.
func begun(t testing.TB, tokens int) *Conversation {
	t.Helper()
	m, err := builtin.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	s, err := m.NewSession(mpt.ContextSize(tokens))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	f, err := chat.Named("chatml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(s, f)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// say asks questions and wants answers of 8 tokens.
func say(t testing.TB, c *Conversation, questions ...string) {
	t.Helper()
	for _, q := range questions {
		if _, err := c.Say(context.Background(), q, mpt.GenerateOptions{MaxTokens: 8, IgnoreEOS: true}); err != nil {
			t.Fatal(err)
		}
	}
}

// Where the session can drop tokens, nothing is evaluated twice.
func TestDropOldestKeepsWhatIsEvaluated(t *testing.T) {
	c := begun(t, 512)
	if err := c.SetSystem("Be short."); err != nil {
		t.Fatal(err)
	}
	say(t, c, "one", "two", "three")
	if err := c.Evaluate(context.Background()); err != nil {
		t.Fatal(err)
	}
	before, logits := c.Evaluated(), slices.Clone(c.Session().Logits())
	for range 2 {
		if err := c.dropOldest(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(c.Session().Tokens(), c.Tokens()) {
			t.Fatal("the session holds other tokens than the conversation")
		}
	}
	if err := c.Evaluate(context.Background()); err != nil {
		t.Fatal(err)
	}
	if c.Evaluated() != before || !slices.Equal(c.Session().Logits(), logits) {
		t.Errorf("%d tokens were evaluated again", c.Evaluated()-before)
	}
	want := "<|im_start|>system\nBe short.<|im_end|>\n<|im_start|>user\nthree<|im_end|>\n<|im_start|>assistant\n" + c.last().Answer
	if got := c.tokenizer().Decode(c.Tokens()); got != want {
		t.Errorf("left is %q, want %q", got, want)
	}
}

// What a program sees of a conversation: progress, turns that are forgotten, a question
// that does not fit.
func TestConversationTells(t *testing.T) {
	c := begun(t, 120)
	var read, forgot int
	c.Progress = func(done, total int) {
		if done > total {
			t.Errorf("%d of %d tokens", done, total)
		}
		read = done
	}
	c.Forgot = func(turns int) { forgot += turns }
	say(t, c, "one", "two", "three", "four", "five", "six")
	if read == 0 || forgot == 0 || forgot+len(c.Turns()) != 6 {
		t.Errorf("%d tokens read, %d turns forgotten, %d left", read, forgot, len(c.Turns()))
	}
	var long *TooLongError
	turns := len(c.Turns())
	if err := c.Ask(context.Background(), strings.Repeat("many words ", 80)); !errors.As(err, &long) || long.Context != 120 || len(c.Turns()) != turns {
		t.Errorf("%v, %d turns", err, len(c.Turns()))
	}
	if _, err := begun(t, 50).Answer(context.Background(), mpt.GenerateOptions{}, nil); err == nil {
		t.Error("an answer without a question")
	}
}

// TestAnswerTwice: a question has one answer, and what would have been lost is still there.
func TestAnswerTwice(t *testing.T) {
	c := begun(t, 512)
	if err := c.Ask(t.Context(), "Tell me a story."); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Answer(t.Context(), mpt.GenerateOptions{MaxTokens: 5}, nil); err != nil {
		t.Fatal(err)
	}
	before := c.Turns()[0].Answer
	if _, err := c.Answer(t.Context(), mpt.GenerateOptions{MaxTokens: 5}, nil); err == nil || c.Turns()[0].Answer != before {
		t.Errorf("%v, the answer is %q, and was %q", err, c.Turns()[0].Answer, before)
	}
	if err := c.Retry(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Answer(t.Context(), mpt.GenerateOptions{MaxTokens: 5}, nil); err != nil {
		t.Errorf("after Retry: %v", err)
	}
}
