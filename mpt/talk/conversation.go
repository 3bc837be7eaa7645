// Package talk keeps a conversation with a model: turns in the model's chat format, of
// which only what is new is evaluated, and of which the oldest are dropped when the context
// is full.
//
// [New] begins one in a session; [Conversation.Say] asks and returns the answer,
// [Conversation.Ask] and [Conversation.Answer] do it in two steps, with the text as it comes.
//
// Start with [New] and [Conversation.Say]; for answers that are values, with [JSON]. This package
// is stable: what it exports changes only with a new major version.
package talk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mptgo/mpt"
	"mptgo/mpt/chat"
	"mptgo/mpt/grammar"
	"mptgo/mpt/tokenizer"
)

// Conversation is a chat, and the session that has its tokens evaluated. It
// keeps the tokens of every turn apart, so that a turn can be dropped or answered
// again without evaluating the others. It serves one goroutine at a time.
type Conversation struct {
	// Progress, if set, is told while a question is read how many of its new tokens are
	// evaluated: first none, then after every batch.
	Progress func(done, total int)
	// Forgot, if set, is told that so many of the oldest turns were dropped.
	Forgot func(turns int)

	session *mpt.Session
	format  *chat.Format // its System is the system prompt
	turns   []Turn       // oldest first

	// rewritten says that the format has written what was said before in another
	// way. From then on all of it is rendered anew with every question: the first
	// turn's prompt holds everything up to the last answer, and the session keeps
	// what the two have in common at their beginning.
	rewritten bool

	evaluated  int                 // tokens of prompts, so far
	vocabulary *grammar.Vocabulary // made when it is first needed
}

// Turn is a question with its answer.
type Turn struct {
	Question string `json:"question"`
	Answer   string `json:"answer"`

	// Prompt holds the tokens from the end of the answer before, or from the
	// beginning, to where the answer begins. Reply holds those of the answer.
	Prompt []int32 `json:"prompt"`
	Reply  []int32 `json:"reply"`
}

// New returns a conversation without turns in a session, which it has to itself from now
// on. Without a format, nil, it is the model's own.
func New(s *mpt.Session, f *chat.Format) (*Conversation, error) {
	if f == nil {
		var err error
		if f, err = Model(s.Model()).Detect(); err != nil {
			return nil, err
		}
	}
	return &Conversation{session: s, format: f}, nil
}

// Resume returns a conversation with the turns of an earlier one, in the format of that one. Without a
// format, nil, it fails: the turns hold tokens, which do not tell the format that they are in. The session
// may hold their tokens already; what it lacks is evaluated with the next question. To keep a chat, save
// the turns as JSON and the session by [mpt.Session.Save]; restore that, then Resume.
func Resume(s *mpt.Session, f *chat.Format, turns []Turn) (*Conversation, error) {
	if f == nil {
		return nil, errors.New("talk: Resume without a format: give the Format of the conversation that the turns are of; " +
			"if that was begun without one, it is talk.Model(session.Model()).Detect()")
	}
	rewritten := len(turns) > 1 && turns[1].Prompt == nil
	return &Conversation{session: s, format: f, turns: turns, rewritten: rewritten}, nil
}

// Session returns the session.
func (c *Conversation) Session() *mpt.Session { return c.session }

// Format returns the chat format, with the system prompt.
func (c *Conversation) Format() *chat.Format { return c.format }

// Turns returns the turns that are not dropped, oldest first. They must not be modified.
func (c *Conversation) Turns() []Turn { return c.turns }

// Evaluated returns how many tokens of prompts were evaluated so far.
func (c *Conversation) Evaluated() int { return c.evaluated }

func (c *Conversation) tokenizer() *tokenizer.Tokenizer { return c.session.Model().Tokenizer() }

// SetSystem changes the system prompt. The turns stay; they are evaluated again
// with the next question.
func (c *Conversation) SetSystem(system string) error {
	f := c.format.WithSystem(system)
	if _, err := f.Render([]chat.Message{{Role: chat.User}}, true); err != nil {
		return err
	}
	before := c.format
	c.format = f
	var err error
	switch {
	case len(c.turns) == 0:
	case c.rewritten:
		err = c.renderAll()
	default:
		err = c.open(&c.turns[0])
	}
	if err != nil {
		c.format = before
	}
	return err
}

// open makes t the first turn of a conversation.
func (c *Conversation) open(t *Turn) error {
	pieces, err := c.format.Render([]chat.Message{{Role: chat.User, Content: t.Question}}, true)
	if err != nil {
		return err
	}
	t.Prompt = encode(c.format, c.tokenizer(), pieces, false)
	return nil
}

// Messages returns what was said in all turns.
func (c *Conversation) Messages() (list []chat.Message) {
	for _, u := range c.turns {
		list = append(list, chat.Message{Role: chat.User, Content: u.Question},
			chat.Message{Role: chat.Assistant, Content: u.Answer})
	}
	return list
}

// follow makes t the last Turn.
func (c *Conversation) follow(t Turn) error {
	if !c.rewritten {
		before := c.Messages()
		last := len(before) - 1
		pieces, err := c.format.Next(before[:last], before[last].Content,
			chat.Message{Role: chat.User, Content: t.Question})
		if err == nil {
			t.Prompt = encode(c.format, c.tokenizer(), pieces, true)
			c.turns = append(c.turns, t)
			return nil
		}
		if !errors.Is(err, chat.ErrRewritten) {
			return err
		}
		c.rewritten = true
	}
	c.turns = append(c.turns, t)
	err := c.renderAll()
	if err != nil {
		c.turns = c.turns[:len(c.turns)-1]
	}
	return err
}

// renderAll puts the tokens of everything before the last answer into the first Turn.
func (c *Conversation) renderAll() error {
	all := c.Messages()
	pieces, err := c.format.Render(all[:len(all)-1], true)
	if err != nil {
		return err
	}
	last := c.last()
	if last.Reply == nil && last.Answer != "" {
		last.Reply = c.tokenizer().Encode(last.Answer, tokenizer.EncodeOptions{Continue: true})
	}
	for i := range len(c.turns) - 1 {
		c.turns[i].Prompt, c.turns[i].Reply = nil, nil
	}
	last.Prompt = nil
	c.turns[0].Prompt = encode(c.format, c.tokenizer(), pieces, false)
	return nil
}

// TooLongError says that a question does not fit into the context, even alone.
type TooLongError struct {
	Tokens  int // of the question and the system prompt
	Context int // what the session can hold
}

func (e *TooLongError) Error() string {
	return fmt.Sprintf("the message and the system prompt take %d tokens, the context holds %d", e.Tokens, e.Context)
}

// Ask adds a turn and evaluates its question. If that fails, the conversation
// is as before, but for turns that had to be dropped. A question that is not answered before the
// next one stays, with an empty answer.
func (c *Conversation) Ask(ctx context.Context, question string) error {
	t := Turn{Question: question}
	if err := c.open(&t); err != nil {
		return err
	}
	// Alone it has to fit; then there is nothing to lose by dropping others.
	if n, most := len(t.Prompt), c.session.ContextSize(); n >= most {
		return &TooLongError{Tokens: n, Context: most}
	}
	if len(c.turns) == 0 {
		c.turns = append(c.turns, t)
	} else if err := c.follow(t); err != nil {
		return err
	}
	err := c.makeRoom(1)
	if err == nil {
		err = c.Evaluate(ctx)
	}
	if err != nil {
		c.turns = c.turns[:len(c.turns)-1]
		if c.rewritten && len(c.turns) > 0 {
			err = errors.Join(err, c.renderAll())
		}
	}
	return err
}

// Retry takes back the last answer, so that another can be generated.
func (c *Conversation) Retry(ctx context.Context) error {
	if len(c.turns) == 0 {
		return errors.New("there is no question to answer again")
	}
	c.last().Answer, c.last().Reply = "", nil
	return c.Evaluate(ctx)
}

// Restore puts an answer that was given before in the place of the last one: that of t, as
// [Conversation.Turns] had it before [Conversation.Retry].
func (c *Conversation) Restore(t Turn) {
	if len(c.turns) > 0 {
		last := c.last()
		last.Answer, last.Reply = t.Answer, t.Reply
	}
}

func (c *Conversation) last() *Turn { return &c.turns[len(c.turns)-1] }

// Reset removes all turns.
func (c *Conversation) Reset() { c.turns, c.rewritten = nil, false }

// Tokens returns the tokens of the whole conversation.
func (c *Conversation) Tokens() (ids []int32) {
	for _, t := range c.turns {
		ids = append(append(ids, t.Prompt...), t.Reply...)
	}
	return ids
}

// makeRoom drops the oldest turns, but never the last, until n more tokens fit
// into the context.
func (c *Conversation) makeRoom(n int) error {
	dropped := 0
	for len(c.turns) > 1 && len(c.Tokens())+n > c.session.ContextSize() {
		if err := c.dropOldest(); err != nil {
			return err
		}
		dropped++
	}
	if dropped > 0 && c.Forgot != nil {
		c.Forgot(dropped)
	}
	return nil
}

// dropOldest removes the first Turn; the system prompt, which is in its tokens,
// stays. Where the session can drop tokens, those of the other turns stay
// evaluated.
func (c *Conversation) dropOldest() error {
	if c.rewritten {
		c.turns = c.turns[1:]
		return c.renderAll()
	}
	before := c.Tokens()
	second := c.turns[1]
	if err := c.open(&second); err != nil {
		return err
	}
	c.turns = c.turns[1:]
	c.turns[0] = second
	after := c.Tokens()

	have := c.session.Tokens()
	keep := mpt.CommonPrefix(have, after)
	end := keep + len(before) - len(after)
	if !c.session.CanDrop() || end <= keep || end > len(have) || mpt.CommonPrefix(have, before) < len(have) {
		return nil
	}
	if mpt.CommonPrefix(have[end:], after[keep:]) < len(have)-end {
		return nil
	}
	return c.session.Drop(keep, end)
}

// Evaluate makes the session hold the tokens of the conversation, and nothing
// else, with the logits of the last one.
func (c *Conversation) Evaluate(ctx context.Context) error {
	want := c.Tokens()
	n := mpt.CommonPrefix(c.session.Tokens(), want)
	if n == len(want) && n > 0 && (n < c.session.Len() || c.session.Logits() == nil) {
		n-- // for its logits
	}
	if err := c.session.Truncate(n); err != nil {
		return err
	}
	c.evaluated += len(want) - n
	opt := mpt.EvalOptions{}
	if c.Progress != nil {
		c.Progress(0, len(want)-n)
		opt.Progress = func(done int) { c.Progress(done, len(want)-n) }
	}
	return c.session.EvalWith(ctx, want[n:], opt)
}

// Result is how an answer came to its end.
type Result struct {
	Tokens int
	Why    mpt.Reason

	Drafted, Accepted int // guesses of tokens, and those of them that came true
}

// Answer generates the answer of the last turn and hands its text, as it comes, to show,
// which may be nil. What ends an answer in the format does so beside what opt says; texts that
// do so are not looked for in one with a constraint. An answer that ends early, because ctx is
// done or the limit of tokens is reached, is kept as far as it got: the Result says why it ended.
// A question has one answer; [Conversation.Retry] takes it back.
func (c *Conversation) Answer(ctx context.Context, opt mpt.GenerateOptions, show func(string) error) (Result, error) {
	if len(c.turns) == 0 {
		return Result{}, errors.New("there is no question to answer")
	}
	if last := c.last(); last.Answer != "" || len(last.Reply) > 0 {
		return Result{}, errors.New("the question has an answer: take it back with Retry, or Ask the next")
	}
	ids, texts := Stops(c.format, c.tokenizer())
	opt.StopTokens = append(slices.Clone(opt.StopTokens), ids...)
	if opt.Constraint == nil { // else the answer ends where that lets it
		opt.Stop = append(texts, opt.Stop...)
	}
	g, err := c.session.NewGeneration(opt)
	if err != nil {
		return Result{}, err
	}
	text, err := c.generate(ctx, g, show)
	last := c.last()
	last.Answer = text
	if c.tokenizer().DecodeWith(last.Reply, tokenizer.DecodeOptions{}) != text {
		// They say more: a stop string, or a part of a character.
		last.Reply = c.tokenizer().Encode(text, tokenizer.EncodeOptions{Continue: true})
	}
	drafted, accepted := g.Drafted()
	return Result{g.Tokens(), g.Why(), drafted, accepted}, err
}

// generate adds the tokens of a generation to the last turn, and returns its text.
func (c *Conversation) generate(ctx context.Context, g *mpt.Generation, show func(string) error) (string, error) {
	var text strings.Builder
	for {
		t, ok := g.Next(ctx)
		if !ok {
			return text.String(), g.Err()
		}
		// If the token is evaluated next, this is the moment to make room for it.
		if g.Why() == mpt.NotEnded {
			if err := c.keepRoom(ctx); err != nil {
				return text.String(), err
			}
		}
		if t.ID >= 0 {
			c.last().Reply = append(c.last().Reply, t.ID)
		}
		text.WriteString(t.Text)
		if show == nil {
			continue
		}
		if err := show(t.Text); err != nil {
			return text.String(), err
		}
	}
}

// Say asks a question and returns the answer, as far as it got if opt limits its tokens.
func (c *Conversation) Say(ctx context.Context, question string, opt mpt.GenerateOptions) (string, error) {
	if err := c.Ask(ctx, question); err != nil {
		return "", err
	}
	_, err := c.Answer(ctx, opt, nil)
	return c.last().Answer, err
}

// keepRoom drops the oldest turns in the middle of an answer if the context
// would be full after one more token. With nothing to drop it does nothing, and
// the answer ends there.
func (c *Conversation) keepRoom(ctx context.Context) error {
	if c.session.Len()+2 <= c.session.ContextSize() || len(c.turns) < 2 {
		return nil
	}
	if err := c.makeRoom(2); err != nil {
		return err
	}
	return c.Evaluate(ctx)
}
