package data

import (
	"errors"
	"fmt"
	"strings"

	"mptgo/mpt/chat"
	"mptgo/mpt/tokenizer"
)

// maxMessages bounds a conversation: the format writes it anew for every answer.
const maxMessages = 2000

// Reasons for which conversations are left out.
const (
	noConversation = "fewer than two messages"
	notAnswered    = "the last message is not the assistant's"
	roleTwice      = "a role twice in a row"
	oddRole        = "a role that the chat format has no place for"
	templateFails  = "the chat template refuses the conversation"
)

func (b *builder) chatRow(r *record) ([]int32, error) {
	msgs, err := messages(r, "messages", "role", "content", nil)
	if err != nil {
		return nil, err
	}
	return b.conversation(r, msgs)
}

// shareGPTRoles are the names of roles in ShareGPT's data.
var shareGPTRoles = map[string]string{"human": chat.User, "gpt": chat.Assistant}

func (b *builder) shareGPTRow(r *record) ([]int32, error) {
	msgs, err := messages(r, "conversations", "from", "value", shareGPTRoles)
	if err != nil {
		return nil, err
	}
	return b.conversation(r, msgs)
}

func (b *builder) conversationalRow(r *record) ([]int32, error) {
	prompt, err := messages(r, "prompt", "role", "content", nil)
	if err != nil {
		return nil, err
	}
	completion, err := messages(r, "completion", "role", "content", nil)
	if err != nil {
		return nil, err
	}
	return b.conversation(r, append(prompt, completion...))
}

// messages reads a list of them; other names of roles are in roles.
func messages(r *record, key, roleKey, contentKey string, roles map[string]string) ([]chat.Message, error) {
	list, err := r.list(key)
	if err != nil {
		return nil, err
	}
	if len(list) > maxMessages {
		return nil, r.fail("%q has %d messages: at most %d are supported", key, len(list), maxMessages)
	}
	msgs := make([]chat.Message, len(list))
	for i, v := range list {
		object, _ := v.(map[string]any)
		role, ok1 := object[roleKey].(string)
		content, ok2 := object[contentKey].(string)
		if v, there := object[contentKey]; ok1 && there && v == nil { // calls of tools have none
			return nil, drop("a message without a text", "")
		}
		if !ok1 || !ok2 {
			return nil, r.fail("%q: message %d: want the texts %q and %q", key, i+1, roleKey, contentKey)
		}
		if other := roles[role]; other != "" {
			role = other
		}
		msgs[i] = chat.Message{Role: role, Content: content}
	}
	return msgs, nil
}

// checkMessages drops conversations that nobody can learn to answer from.
func checkMessages(msgs []chat.Message) error {
	if len(msgs) < 2 {
		return drop(noConversation, "")
	}
	for i, m := range msgs {
		switch {
		case m.Role != chat.System && m.Role != chat.User && m.Role != chat.Assistant:
			return drop(oddRole, fmt.Sprintf("%q", shorten(m.Role, 40)))
		case i > 0 && m.Role == msgs[i-1].Role:
			return drop(roleTwice, m.Role)
		}
	}
	last := msgs[len(msgs)-1]
	switch {
	case last.Role != chat.Assistant:
		return drop(notAnswered, "")
	case last.Content == "":
		return drop("empty response", "")
	case msgs[0].Role == chat.Assistant:
		return drop("the first message is the assistant's", "")
	}
	return nil
}

// conversation encodes messages as llm-foundry does: every answer is cut out of what the format
// writes with it, and what stands before it is its prompt. Contents are never read as control
// tokens, as in mpt chat.
func (b *builder) conversation(r *record, msgs []chat.Message) ([]int32, error) {
	if err := checkMessages(msgs); err != nil {
		return nil, err
	}
	var turns []turn
	var before []chat.Piece
	for i, m := range msgs {
		if m.Role != chat.Assistant {
			continue
		}
		t, full, err := b.answer(msgs[:i+1], before)
		if _, dropped := errors.AsType[*dropError](err); dropped {
			return nil, err
		} else if err != nil {
			return nil, r.fail("%w", err)
		}
		turns, before = append(turns, t), full
	}
	return b.label(turns), nil
}

// answer returns the turn that the last of msgs ends, and all pieces up to its end. Before are those
// of the turns before it.
func (b *builder) answer(msgs []chat.Message, before []chat.Piece) (turn, []chat.Piece, error) {
	prompt, err := b.format.Render(msgs[:len(msgs)-1], true)
	if err != nil {
		return turn{}, nil, drop(templateFails, shorten(err.Error(), 200))
	}
	full, err := b.format.Render(msgs, false)
	if err != nil {
		return turn{}, nil, drop(templateFails, shorten(err.Error(), 200))
	}
	head, ok := cutPieces(prompt, before)
	if !ok {
		return turn{}, nil, rewritten(b.format, before, prompt)
	}
	tail, ok := cutPieces(full, prompt)
	if !ok {
		return turn{}, nil, rewritten(b.format, prompt, full)
	}
	var t turn
	if t.prompt, err = b.pieces(head, len(before) > 0); err != nil {
		return t, nil, err
	}
	t.response, err = b.pieces(tail, true)
	return t, full, err
}

func rewritten(f *chat.Format, before, after []chat.Piece) error {
	return fmt.Errorf("the chat format %s writes the beginning of a conversation in another way once there is more, so "+
		"that answers cannot be told from prompts: choose another with --chat-template. It wrote\n%q\nand then\n%q",
		f.Name, shorten(spell(before), 1000), shorten(spell(after), 1000))
}

func spell(pieces []chat.Piece) string {
	var s strings.Builder
	for _, p := range pieces {
		s.WriteString(p.Text)
	}
	return s.String()
}

// cutPieces returns what follows prefix in all. Neighbours that are plain are one piece, so that the
// last of the prefix may be the beginning of one.
func cutPieces(all, prefix []chat.Piece) ([]chat.Piece, bool) {
	n := len(prefix)
	if n == 0 {
		return all, true
	}
	if len(all) < n {
		return nil, false
	}
	for i, p := range prefix[:n-1] {
		if all[i] != p {
			return nil, false
		}
	}
	rest, ok := strings.CutPrefix(all[n-1].Text, prefix[n-1].Text)
	if !ok || all[n-1].Special != prefix[n-1].Special || rest != "" && all[n-1].Special {
		return nil, false
	}
	if rest == "" {
		return all[n:], true
	}
	return append([]chat.Piece{{Text: rest}}, all[n:]...), true
}

// pieces returns the tokens of a part of a conversation. More says that it is not the first.
func (b *builder) pieces(list []chat.Piece, more bool) (ids []int32, err error) {
	for i, p := range list {
		if _, known := b.opt.Tokenizer.ID(p.Text); p.Special && !known {
			if !b.opt.PlainMarkers {
				return nil, b.lacks(p.Text)
			}
			b.note("the marker %s of the chat format is no token of the vocabulary: it is learned as ordinary text", p.Text)
		}
		opt := tokenizer.EncodeOptions{
			ParseSpecial: p.Special, Continue: i == 0 && more, AddSpecial: i == 0 && !more && !b.format.Jinja,
		}
		ids = b.opt.Tokenizer.AppendEncode(ids, p.Text, opt)
	}
	return ids, nil
}

func (b *builder) lacks(marker string) error {
	return fmt.Errorf("the chat format %s writes %s, which the vocabulary of this model lacks: it would become ordinary text. "+
		"Choose a format of plain text with --chat-template (dolly, mpt-instruct), or allow that with --allow-plain-markers",
		b.format.Name, marker)
}
