package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"mptgo/mpt"
	"mptgo/mpt/chat"
	"mptgo/mpt/tokenizer"
)

// conversation is a chat, and the session that has its tokens evaluated. It
// keeps the tokens of every turn apart, so that a turn can be dropped or answered
// again without evaluating the others.
type conversation struct {
	session *mpt.Session
	format  *chat.Format    // its System is the system prompt
	turns   []turn          // oldest first
	status  *status         // shows that a long question is being read
	forgot  func(turns int) // is told that the oldest turns were dropped

	// rewritten says that the format has written what was said before in another
	// way. From then on all of it is rendered anew with every question: the first
	// turn's prompt holds everything up to the last answer, and the session keeps
	// what the two have in common at their beginning.
	rewritten bool

	evaluated int // tokens of prompts, so far
}

// turn is a question with its answer.
type turn struct {
	Question string `json:"question"`
	Answer   string `json:"answer"`

	// Prompt holds the tokens from the end of the answer before, or from the
	// beginning, to where the answer begins. Reply holds those of the answer.
	Prompt []int32 `json:"prompt"`
	Reply  []int32 `json:"reply"`
}

// newConversation returns a conversation without turns.
func newConversation(s *mpt.Session, f *chat.Format, show *status) *conversation {
	return &conversation{session: s, format: f, status: show, forgot: func(int) {}}
}

func (c *conversation) tokenizer() *tokenizer.Tokenizer { return c.session.Model().Tokenizer() }

// setSystem changes the system prompt. The turns stay; they are evaluated again
// with the next question.
func (c *conversation) setSystem(system string) error {
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
func (c *conversation) open(t *turn) error {
	pieces, err := c.format.Render([]chat.Message{{Role: chat.User, Content: t.Question}}, true)
	if err != nil {
		return err
	}
	t.Prompt = c.encode(pieces, false)
	return nil
}

// messages returns what was said in all turns.
func (c *conversation) messages() (list []chat.Message) {
	for _, u := range c.turns {
		list = append(list, chat.Message{Role: chat.User, Content: u.Question}, chat.Message{Role: chat.Assistant, Content: u.Answer})
	}
	return list
}

// follow makes t the last turn.
func (c *conversation) follow(t turn) error {
	if !c.rewritten {
		before := c.messages()
		last := len(before) - 1
		pieces, err := c.format.Next(before[:last], before[last].Content, chat.Message{Role: chat.User, Content: t.Question})
		if err == nil {
			t.Prompt = c.encode(pieces, true)
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

// renderAll puts the tokens of everything before the last answer into the first turn.
func (c *conversation) renderAll() error {
	all := c.messages()
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
	c.turns[0].Prompt = c.encode(pieces, false)
	return nil
}

// encode returns the tokens of pieces, the first of which may continue a text. What
// looks like a control token in the user's own words stays text.
func (c *conversation) encode(pieces []chat.Piece, more bool) (ids []int32) {
	for i, p := range pieces {
		opt := tokenizer.EncodeOptions{ParseSpecial: p.Special, Continue: i == 0 && more}
		ids = c.tokenizer().AppendEncode(ids, p.Text, opt)
	}
	return ids
}

// ask adds a turn and evaluates its question. If that fails, the conversation
// is as before, but for turns that had to be dropped.
func (c *conversation) ask(ctx context.Context, question string) error {
	t := turn{Question: question}
	if err := c.open(&t); err != nil {
		return err
	}
	// Alone it has to fit; then there is nothing to lose by dropping others.
	if n, most := len(t.Prompt), c.session.ContextSize(); n >= most {
		return fmt.Errorf("the message and the system prompt take %d tokens, the context holds %d: "+
			"shorten them or start with a larger --ctx-size", n, most)
	}
	if len(c.turns) == 0 {
		c.turns = append(c.turns, t)
	} else if err := c.follow(t); err != nil {
		return err
	}
	err := c.makeRoom(1)
	if err == nil {
		err = c.evaluate(ctx)
	}
	if err != nil {
		c.turns = c.turns[:len(c.turns)-1]
		if c.rewritten && len(c.turns) > 0 {
			err = errors.Join(err, c.renderAll())
		}
	}
	return err
}

// retry takes back the last answer, so that another can be generated.
func (c *conversation) retry(ctx context.Context) error {
	if len(c.turns) == 0 {
		return errors.New("there is no question to answer again")
	}
	c.last().Answer, c.last().Reply = "", nil
	return c.evaluate(ctx)
}

func (c *conversation) last() *turn { return &c.turns[len(c.turns)-1] }

// reset removes all turns.
func (c *conversation) reset() { c.turns, c.rewritten = nil, false }

// tokens returns the tokens of the whole conversation.
func (c *conversation) tokens() (ids []int32) {
	for _, t := range c.turns {
		ids = append(append(ids, t.Prompt...), t.Reply...)
	}
	return ids
}

// makeRoom drops the oldest turns, but never the last, until n more tokens fit
// into the context.
func (c *conversation) makeRoom(n int) error {
	dropped := 0
	for len(c.turns) > 1 && len(c.tokens())+n > c.session.ContextSize() {
		if err := c.dropOldest(); err != nil {
			return err
		}
		dropped++
	}
	if dropped > 0 {
		c.forgot(dropped)
	}
	return nil
}

// dropOldest removes the first turn; the system prompt, which is in its tokens,
// stays. Where the session can drop tokens, those of the other turns stay
// evaluated.
func (c *conversation) dropOldest() error {
	if c.rewritten {
		c.turns = c.turns[1:]
		return c.renderAll()
	}
	before := c.tokens()
	second := c.turns[1]
	if err := c.open(&second); err != nil {
		return err
	}
	c.turns = c.turns[1:]
	c.turns[0] = second
	after := c.tokens()

	have := c.session.Tokens()
	keep := commonPrefix(have, after)
	end := keep + len(before) - len(after)
	if !c.session.CanDrop() || end <= keep || end > len(have) || commonPrefix(have, before) < len(have) {
		return nil
	}
	if commonPrefix(have[end:], after[keep:]) < len(have)-end {
		return nil
	}
	return c.session.Drop(keep, end)
}

// evaluate makes the session hold the tokens of the conversation, and nothing
// else, with the logits of the last one.
func (c *conversation) evaluate(ctx context.Context) error {
	want := c.tokens()
	n := commonPrefix(c.session.Tokens(), want)
	if n == len(want) && n > 0 && (n < c.session.Len() || c.session.Logits() == nil) {
		n-- // for its logits
	}
	if err := c.session.Truncate(n); err != nil {
		return err
	}
	c.evaluated += len(want) - n
	return readTokens(ctx, c.session, want[n:], c.status)
}

func commonPrefix(a, b []int32) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// stops returns the tokens and the texts that end an answer.
func (c *conversation) stops() (ids []int32, texts []string) {
	tok := c.tokenizer()
	tokens, texts := c.format.StopsFor(func(text string) bool { _, ok := tok.ID(text); return ok })
	for _, t := range tokens {
		id, _ := tok.ID(t)
		ids = append(ids, id)
	}
	return ids, texts
}

// answer generates the answer of the last turn and hands its text, as it
// comes, to show. It returns the number of tokens. An answer that ends early,
// because ctx is done for instance, is kept as far as it got.
func (c *conversation) answer(ctx context.Context, opt mpt.GenerateOptions, show func(string) error) (n int, err error) {
	ids, texts := c.stops()
	opt.StopTokens, opt.Stop = ids, append(texts, opt.Stop...)
	var text strings.Builder
	for t, e := range c.session.Generate(ctx, opt) {
		if err = e; err != nil {
			break
		}
		// The token is evaluated next: this is the moment to make room for it.
		if err = c.keepRoom(ctx); err != nil {
			break
		}
		if t.ID >= 0 {
			c.last().Reply = append(c.last().Reply, t.ID)
			n++
		}
		text.WriteString(t.Text)
		if err = show(t.Text); err != nil {
			break
		}
	}
	last := c.last()
	last.Answer = text.String()
	if c.tokenizer().DecodeWith(last.Reply, tokenizer.DecodeOptions{}) != last.Answer {
		// They say more: a stop string, or a part of a character.
		last.Reply = c.tokenizer().Encode(last.Answer, tokenizer.EncodeOptions{Continue: true})
	}
	return n, err
}

// keepRoom drops the oldest turns in the middle of an answer if the context
// would be full after one more token. With nothing to drop it does nothing, and
// the answer ends there.
func (c *conversation) keepRoom(ctx context.Context) error {
	if c.session.Len()+2 <= c.session.ContextSize() || len(c.turns) < 2 {
		return nil
	}
	if err := c.makeRoom(2); err != nil {
		return err
	}
	return c.evaluate(ctx)
}
