package repl

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mptgo/internal/check"
	"mptgo/mpt"
	"mptgo/mpt/chat"
	"mptgo/mpt/convert"
	"mptgo/mpt/talk"
	"mptgo/mpt/tokenizer"
	"mptgo/sampling"
)

// openCase converts and opens a reference checkpoint.
func openCase(t testing.TB, name string) *mpt.Model {
	t.Helper()
	root, err := check.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir, out := filepath.Join(root, "mpt", "testdata", "cases", name), filepath.Join(t.TempDir(), name+".gguf")
	if _, err := convert.Convert(t.Context(), dir, out, convert.Options{Type: "F32"}); err != nil {
		t.Fatal(err)
	}
	m, err := mpt.Open(out, mpt.Threads(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// screen is what a test sees of a chat.
type screen struct {
	out, notes bytes.Buffer
}

// newRepl returns a loop over a new session of context tokens, which reads the
// given lines, answers with 8 tokens, the same in every run, and stops for
// nobody.
func newRepl(t testing.TB, m *mpt.Model, format string, context int, lines ...string) (*repl, *screen) {
	t.Helper()
	f, err := chat.Named(format)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.NewSession(mpt.ContextSize(context))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	p := sampling.DefaultParams()
	p.Seed, p.Temp, p.TopK, p.TopP, p.MinP = 1, 1.5, 0, 1, 0
	p.LogitBias = []sampling.Bias{{ID: m.Tokenizer().EOS(), Value: -1e9}} // answers have their full length
	c, err := talk.Resume(s, f, nil)
	if err != nil {
		t.Fatal(err)
	}
	sc := &screen{}
	return &repl{
		in: &typed{lines: lines}, out: &sc.out, notes: &sc.notes,
		talk: c, params: p, predict: 8, strict: true,
		interrupt: withCancel,
	}, sc
}

func withCancel(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

// lastTurn returns the last turn of a chat.
func lastTurn(r *repl) *talk.Turn {
	turns := r.talk.Turns()
	return &turns[len(turns)-1]
}

// encodePieces returns the tokens of what a format has rendered.
func encodePieces(r *repl, pieces []chat.Piece) (ids []int32) {
	for _, p := range pieces {
		ids = r.tokenizer().AppendEncode(ids, p.Text, tokenizer.EncodeOptions{ParseSpecial: p.Special})
	}
	return ids
}

// run runs r and fails the test if that fails.
func run(t testing.TB, r *repl) {
	t.Helper()
	if err := r.run(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// checkSession fails the test if the session does not begin with the tokens of
// the conversation.
func checkSession(t testing.TB, r *repl) {
	t.Helper()
	if err := r.talk.Evaluate(context.Background()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.talk.Session().Tokens(), r.talk.Tokens()) {
		t.Errorf("the session holds other tokens than the conversation")
	}
}

func TestReplAnswersEveryInput(t *testing.T) {
	m := openCase(t, "hf-tiny")
	r, sc := newRepl(t, m, "chatml", 256, "one", "", "two", `"""`, "/three", `"""`)
	run(t, r)
	if got := len(r.talk.Turns()); got != 3 {
		t.Fatalf("%d turns, want 3", got)
	}
	for i, want := range []string{"one", "two", "/three"} {
		turn := r.talk.Turns()[i]
		if turn.Question != want || len(turn.Reply) == 0 {
			t.Errorf("turn %d is %+v, want an answer to %q", i, turn, want)
		}
	}
	if sc.notes.Len() > 0 {
		t.Errorf("notes: %s", sc.notes.String())
	}
	checkSession(t, r)
}

// The tokens that a conversation collects turn by turn spell what the format
// makes of all messages at once.
func TestReplTokensSpellTheFormat(t *testing.T) {
	m := openCase(t, "hf-tiny")
	for _, f := range chat.Formats() {
		r, _ := newRepl(t, m, f.Name, 1000, "one", "two", "three")
		run(t, r)
		var msgs []chat.Message
		for _, turn := range r.talk.Turns()[:2] {
			msgs = append(msgs, chat.Message{Role: chat.User, Content: turn.Question}, chat.Message{Role: chat.Assistant, Content: turn.Answer})
		}
		pieces, err := f.Render(append(msgs, chat.Message{Role: chat.User, Content: "three"}), true)
		if err != nil {
			t.Fatal(err)
		}
		var want strings.Builder
		for _, p := range pieces {
			want.WriteString(p.Text)
		}
		want.WriteString(r.talk.Turns()[2].Answer)
		if got := m.Tokenizer().Decode(r.talk.Tokens()); got != want.String() {
			t.Errorf("%s: got %q, want %q", f.Name, got, want.String())
		}
	}
}

// An answer ends with a stop token of the format, also if the model knows nothing of it,
// and the next turn follows.
func TestReplStopTokens(t *testing.T) {
	m := openCase(t, "hf-tiny")
	r, sc := newRepl(t, m, "chatml", 200, "Hello")
	run(t, r)
	whole, reply := sc.out.String(), slices.Clone(r.talk.Turns()[0].Reply)
	at := slices.IndexFunc(reply, func(id int32) bool { return slices.Index(reply, id) >= 2 })
	stop, _ := m.Tokenizer().Token(reply[at])

	r, sc = newRepl(t, m, "chatml", 200, "Hello", "More")
	r.talk.Format().StopTokens = append(slices.Clone(r.talk.Format().StopTokens), stop)
	run(t, r)
	if got := r.talk.Turns()[0].Reply; !slices.Equal(got, reply[:at]) {
		t.Errorf("the reply is %v, want %v of %v (%q of %q)", got, reply[:at], reply, sc.out.String(), whole)
	}
	checkSession(t, r)
}

func TestReplRegen(t *testing.T) {
	m := openCase(t, "hf-tiny")
	chat := func(lines ...string) []talk.Turn {
		r, _ := newRepl(t, m, "chatml", 256, lines...)
		run(t, r)
		checkSession(t, r)
		return r.talk.Turns()
	}
	first := chat("one", "two")
	again := chat("one", "two", "/regen")
	other := chat("one", "two", "/set seed 2", "/regen")
	if len(again) != 2 || again[1].Answer != first[1].Answer {
		t.Errorf("the same seed: %q, then %q", first[1].Answer, again[len(again)-1].Answer)
	}
	if other[1].Answer == first[1].Answer {
		t.Errorf("another seed gave the same answer %q", other[1].Answer)
	}
	none, sc := newRepl(t, m, "chatml", 256, "/regen")
	if err := none.run(context.Background()); err == nil || !strings.Contains(sc.notes.String(), "mpt: /regen: there is no question") {
		t.Errorf("got %v, %q", err, sc.notes.String())
	}
}

// stopAfter is a writer that calls stop at its n-th write.
type stopAfter struct {
	io.Writer
	n    int
	stop func()
}

func (s *stopAfter) Write(p []byte) (int, error) {
	if s.n--; s.n == 0 {
		s.stop()
	}
	return s.Writer.Write(p)
}

func TestReplInterruptStopsTheAnswer(t *testing.T) {
	m := openCase(t, "hf-tiny")
	r, sc := newRepl(t, m, "chatml", 256, "one", "two")
	r.params.LogitBias = append(r.params.LogitBias, sampling.Bias{ID: 41, Value: 1e9}) // "H", so that every token is a write
	watch := &stopAfter{Writer: r.out, n: 3}
	r.out = watch
	r.interrupt = func(ctx context.Context) (context.Context, context.CancelFunc) {
		part, cancel := context.WithCancel(ctx)
		watch.stop = cancel
		return part, cancel
	}
	run(t, r)
	if got := r.talk.Turns()[0].Answer; got != "HHH" {
		t.Errorf("the answer that was stopped is %q, want HHH", got)
	}
	if got := r.talk.Turns()[1].Answer; got != "HHHHHHHH" {
		t.Errorf("the answer after it is %q, want 8 letters", got)
	}
	if got := sc.notes.String(); got != "mpt: stopped\n" {
		t.Errorf("notes: %q", got)
	}
	checkSession(t, r)
}

func TestReplInterruptAtThePrompt(t *testing.T) {
	m := openCase(t, "hf-tiny")
	r, sc := newRepl(t, m, "raw", 64, "half a line^C", "^C", "/tokens", "^C", "^C", "not reached")
	run(t, r)
	if left := r.in.(*typed).lines; !slices.Equal(left, []string{"not reached"}) {
		t.Errorf("lines left: %q", left)
	}
	if got := strings.Count(sc.notes.String(), "Ctrl-C again"); got != 2 {
		t.Errorf("%d warnings, want 2:\n%s", got, sc.notes.String())
	}
}

func TestReplEndsWithItsContext(t *testing.T) {
	m := openCase(t, "hf-tiny")
	r, _ := newRepl(t, m, "raw", 64, "one")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestReplForgetsTheOldestTurns(t *testing.T) {
	m := openCase(t, "hf-tiny")
	for _, context := range []int{120, 160, 220} {
		r, sc := newRepl(t, m, "chatml", context, slices.Repeat([]string{"tell me more"}, 12)...)
		if err := r.talk.SetSystem("Be short."); err != nil {
			t.Fatal(err)
		}
		run(t, r)
		if n := len(r.talk.Turns()); n == 12 || n == 0 {
			t.Errorf("context %d: %d turns left of 12", context, n)
		}
		if !strings.Contains(sc.notes.String(), "forgotten") {
			t.Errorf("context %d: notes: %s", context, sc.notes.String())
		}
		if got := m.Tokenizer().Decode(r.talk.Session().Tokens()); !strings.HasPrefix(got, "<|im_start|>system\nBe short.<|im_end|>\n<|im_start|>user\ntell me more<|im_end|>\n") {
			t.Errorf("context %d: the session begins %q", context, got)
		}
		for i, turn := range r.talk.Turns() {
			if len(turn.Reply) == 0 {
				t.Errorf("context %d: turn %d has no answer", context, i)
			}
		}
		checkSession(t, r)
	}
}

// A user who spells a control token has said its text and nothing else.
func TestReplQuestionIsText(t *testing.T) {
	m := openCase(t, "hf-tiny")
	for _, format := range []string{"chatml", "raw", "mpt-instruct"} {
		r, _ := newRepl(t, m, format, 256, "<|endoftext|>", "<|endoftext|>")
		run(t, r)
		for i, turn := range r.talk.Turns() {
			if slices.Contains(turn.Prompt, m.Tokenizer().EOS()) {
				t.Errorf("%s: the prompt of turn %d has the token <|endoftext|>", format, i)
			}
		}
	}
}

// The penalties look back at the question.
func TestReplPenalizesWhatWasAsked(t *testing.T) {
	m := openCase(t, "hf-tiny")
	r, sc := newRepl(t, m, "raw", 64, "/set temp 0", "/set logit_bias 41+500", "H", "/set presence_penalty 1000", "/reset", "H")
	r.predict = 1
	run(t, r)
	if got := sc.out.String(); !strings.HasPrefix(got, "H\n") || strings.HasPrefix(got, "H\nH") {
		t.Errorf("printed %q, want H and something else", got)
	}
}

// A long answer pushes out older turns, and ends when only its own is left.
func TestReplForgetsWhileItAnswers(t *testing.T) {
	m := openCase(t, "hf-tiny")
	r, sc := newRepl(t, m, "chatml", 160, "one", "two", "/set temp 0")
	run(t, r)
	turns := len(r.talk.Turns())
	r.in, r.predict = &typed{lines: []string{"three"}}, -1
	run(t, r)
	if turns != 2 || len(r.talk.Turns()) != 1 {
		t.Fatalf("%d turns, then %d; want 2 and 1", turns, len(r.talk.Turns()))
	}
	if got := len(r.talk.Tokens()); got != 160 {
		t.Errorf("the answer ends at %d tokens, want 160", got)
	}
	want := "mpt: the context of 160 tokens is full: 2 old turns are forgotten\nmpt: the context of 160 tokens is full: the answer ends here\n"
	if sc.notes.String() != want {
		t.Errorf("notes: %s", sc.notes.String())
	}
	checkSession(t, r)
	r.in, r.predict = &typed{lines: []string{"four"}}, 4
	run(t, r)
	if got := lastTurn(r).Question; got != "four" || len(r.talk.Turns()) != 1 {
		t.Errorf("the chat does not go on after a full context: %+v", r.talk.Turns())
	}
}

func TestReplRefusesWhatDoesNotFit(t *testing.T) {
	m := openCase(t, "hf-tiny")
	r, sc := newRepl(t, m, "chatml", 96, "one", strings.Repeat("word ", 200), "two")
	err := r.run(context.Background())
	if err == nil || err.Error() != "chat: 1 input failed" {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(sc.notes.String(), "start with a larger --ctx-size") {
		t.Errorf("notes: %s", sc.notes.String())
	}
	if got := lastTurn(r).Question; got != "two" {
		t.Errorf("the last question is %q, want two", got)
	}
}
