package chat

import (
	"fmt"
	"slices"
	"strings"
)

// markup is a template that puts fixed text around every message.
type markup struct {
	system, user, assistant wrap

	noSystem  bool // system messages are refused
	alternate bool // after a system message come user and assistant in turns
	openLast  bool // without a generation prompt the last message is not ended
}

// wrap is what stands around a message. The generation prompt is what stands
// before the assistant's.
type wrap struct {
	before, after []Piece
}

// The tokens of ChatML.
const (
	imStart = "<|im_start|>"
	imEnd   = "<|im_end|>"
)

// around returns a wrap in which the tokens of ChatML are special.
func around(before, after string) wrap { return wrap{pieces(before), pieces(after)} }

// plain returns a wrap of ordinary text.
func plain(before, after string) wrap {
	return wrap{[]Piece{{before, false}}, []Piece{{after, false}}}
}

// pieces cuts s at the tokens of ChatML.
func pieces(s string) []Piece {
	var w writer
	for s != "" {
		switch {
		case strings.HasPrefix(s, imStart):
			w.add(Piece{imStart, true})
			s = s[len(imStart):]
		case strings.HasPrefix(s, imEnd):
			w.add(Piece{imEnd, true})
			s = s[len(imEnd):]
		default:
			w.text(s[:1])
			s = s[1:]
		}
	}
	return w.pieces
}

// writer joins pieces, so that neighbours are of different kinds.
type writer struct {
	pieces []Piece
}

func (w *writer) text(s string) { w.add(Piece{s, false}) }

func (w *writer) add(more ...Piece) {
	for _, p := range more {
		last := len(w.pieces) - 1
		switch {
		case p.Text == "":
		case last >= 0 && !p.Special && !w.pieces[last].Special:
			w.pieces[last].Text += p.Text
		default:
			w.pieces = append(w.pieces, p)
		}
	}
}

func (m *markup) render(system string, msgs []Message, prompt bool) ([]Piece, error) {
	if err := m.check(system, msgs); err != nil {
		return nil, err
	}
	if m.alternate && prompt && msgs[len(msgs)-1].Role != User {
		return nil, fmt.Errorf("there is no user message to answer")
	}
	var w writer
	if system != "" {
		w.add(m.system.before...)
		w.text(system)
		w.add(m.system.after...)
	}
	for i, msg := range msgs {
		around := m.wrap(msg.Role)
		w.add(around.before...)
		w.text(msg.Content)
		if !m.openLast || prompt || i < len(msgs)-1 {
			w.add(around.after...)
		}
	}
	if prompt {
		w.add(m.assistant.before...)
	}
	return w.pieces, nil
}

func (m *markup) wrap(role string) wrap {
	switch role {
	case System:
		return m.system
	case User:
		return m.user
	}
	return m.assistant
}

// check reports messages that the format has no place for.
func (m *markup) check(system string, msgs []Message) error {
	if m.noSystem && (system != "" || slices.ContainsFunc(msgs, func(m Message) bool { return m.Role == System })) {
		return fmt.Errorf("the format has no system prompt: put it into the first user message")
	}
	if !m.alternate {
		return nil
	}
	want := User
	for i, msg := range msgs {
		if i == 0 && msg.Role == System {
			continue
		}
		if msg.Role != want {
			return fmt.Errorf("message %d is the %s's: here comes the %s's (%s and %s take turns)",
				i, msg.Role, want, User, Assistant)
		}
		if want = User; msg.Role == User {
			want = Assistant
		}
	}
	return nil
}
