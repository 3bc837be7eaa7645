package chat

import (
	"errors"
	"fmt"
	"strings"
)

// The roles of a message.
const (
	System    = "system"
	User      = "user"
	Assistant = "assistant"
)

// Message is one contribution to a conversation.
type Message struct {
	Role    string
	Content string
}

// Piece is a part of a prompt. Each piece is tokenised by itself: a special one
// with special tokens recognised, any other as plain text. Neighbours are of
// different kinds, so that text is cut only where a special token is.
type Piece struct {
	Text    string
	Special bool
}

// Format is a way to write conversations.
type Format struct {
	Name  string
	Usage string // what it is for, one line

	// System is the system prompt of conversations that do not begin with one
	// of their own. Empty means none.
	System string

	// StopTokens are the tokens that end an answer, Stops texts that do.
	StopTokens, Stops []string

	// Jinja says that the format is that of a template in Jinja, also if it is one of
	// [Formats]. Such a one writes the token that begins a text itself, or leaves it
	// out on purpose; before all others it comes where the vocabulary asks for it.
	Jinja bool

	models   []string // what the names of models without a template contain, see plainName
	template template
}

// template writes a whole conversation. The formats here are [markup]s.
type template interface {
	// render is given messages with known roles, at least one, not ending with
	// an assistant's if prompt asks for the beginning of an answer. System, if
	// not empty, is the system prompt of messages that do not begin with one.
	render(system string, msgs []Message, prompt bool) ([]Piece, error)
}

// Formats returns all formats.
func Formats() []*Format {
	all := make([]*Format, len(formats))
	for i := range formats {
		f := formats[i]
		all[i] = &f
	}
	return all
}

// Named returns the format with the given name; case does not matter.
func Named(name string) (*Format, error) {
	for _, f := range Formats() {
		if strings.EqualFold(f.Name, name) {
			return f, nil
		}
	}
	return nil, fmt.Errorf("chat: there is no format %q: known are %s", name, names())
}

// names lists the formats for error messages.
func names() string {
	var list []string
	for _, f := range formats {
		list = append(list, f.Name)
	}
	return strings.Join(list, ", ")
}

// WithSystem returns a format like f with another default system prompt.
func (f *Format) WithSystem(prompt string) *Format {
	g := *f
	g.System = prompt
	return &g
}

// Render writes a conversation, with f.System before it if it has no system
// message at its beginning. With prompt it ends where the model's answer
// begins; the last message must then not be the assistant's.
func (f *Format) Render(msgs []Message, prompt bool) ([]Piece, error) {
	if len(msgs) == 0 {
		return nil, fmt.Errorf("chat: %s: the conversation is empty", f.Name)
	}
	for i, m := range msgs {
		if m.Role != System && m.Role != User && m.Role != Assistant {
			return nil, fmt.Errorf("chat: %s: message %d: unknown role %q: want %s, %s or %s",
				f.Name, i, m.Role, System, User, Assistant)
		}
	}
	if prompt && msgs[len(msgs)-1].Role == Assistant {
		return nil, fmt.Errorf("chat: %s: the last message is the assistant's: there is nothing to answer", f.Name)
	}
	system := f.System
	if msgs[0].Role == System {
		system = ""
	}
	pieces, err := f.template.render(system, msgs, prompt)
	if err != nil {
		return nil, fmt.Errorf("chat: %s: %w", f.Name, err)
	}
	return pieces, nil
}

// Next returns what a prompt goes on with after the model has answered: the end
// of the answer, the messages that follow it and the beginning of the next
// answer. A cache that holds the tokens of Render(before, true) and of the
// answer, without the token that ended it, stays valid. The answer is the text
// exactly as the model gave it.
//
// It fails with [ErrRewritten] if the format does not continue a conversation by
// adding to it; then all must be rendered anew.
func (f *Format) Next(before []Message, answer string, turn ...Message) ([]Piece, error) {
	old, err := f.Render(before, true)
	if err != nil {
		return nil, err
	}
	all := append(before[:len(before):len(before)], Message{Assistant, answer})
	now, err := f.Render(append(all, turn...), true)
	if err != nil {
		return nil, err
	}
	var w writer
	w.add(old...)
	w.text(answer)
	rest, ok := cutPrefix(now, w.pieces)
	if !ok {
		return nil, fmt.Errorf("chat: %s: %w", f.Name, ErrRewritten)
	}
	return rest, nil
}

// ErrRewritten is wrapped by the error of [Format.Next] where a template writes what
// was said before in another way once there is more.
var ErrRewritten = errors.New("the answer changes the prompt before it: render the conversation anew")

// cutPrefix returns what follows prefix in pieces.
func cutPrefix(pieces, prefix []Piece) ([]Piece, bool) {
	n := len(prefix)
	if n == 0 {
		return pieces, true
	}
	if len(pieces) < n {
		return nil, false
	}
	for i, p := range prefix[:n-1] {
		if pieces[i] != p {
			return nil, false
		}
	}
	last := pieces[n-1]
	rest, ok := strings.CutPrefix(last.Text, prefix[n-1].Text)
	if !ok || last.Special != prefix[n-1].Special {
		return nil, false
	}
	var w writer
	w.add(Piece{rest, last.Special})
	w.add(pieces[n:]...)
	return w.pieces, true
}

// Wrote reports whether a text has what f writes where an answer begins, so that it is
// a prompt in this format.
func (f *Format) Wrote(text string) bool {
	const question = "Question0"
	pieces, err := f.Render([]Message{{User, question}}, true)
	if err != nil {
		return false
	}
	var all strings.Builder
	for _, p := range pieces {
		all.WriteString(p.Text)
	}
	_, behind, _ := strings.Cut(all.String(), question)
	lines := strings.Split(strings.TrimSpace(behind), "\n")
	mark := lines[len(lines)-1]
	return mark != "" && strings.Contains(text, mark)
}

// StopsFor returns the tokens of a vocabulary that end an answer, and the texts
// that do: those of the format, and its stop tokens that the vocabulary lacks.
func (f *Format) StopsFor(hasToken func(string) bool) (tokens, texts []string) {
	texts = append(texts, f.Stops...)
	for _, t := range f.StopTokens {
		if hasToken(t) {
			tokens = append(tokens, t)
		} else {
			texts = append(texts, t)
		}
	}
	return tokens, texts
}
