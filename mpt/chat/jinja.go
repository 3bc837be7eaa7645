package chat

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mptgo/internal/jinja"
)

// Model is what a model's file says about conversations.
type Model struct {
	Name      string            // what it is called
	Bases     []string          // the models that it was made of
	Template  string            // in Jinja, or ""
	Templates map[string]string // others, by name

	Has     func(token string) bool // whether the vocabulary has a token of that text
	Control []string                // the texts of all control tokens

	BOS, EOS, UNK, PAD string // the texts of these tokens, or ""

	// Now is the clock of templates that write the date; nil is time.Now.
	Now func() time.Time
}

// Detect returns the format of the model: that of its template if there is one. Without a
// template the model's name decides, if it is one of the published models that are known to
// have come without; then the names of the models that it was made of, but not against the
// vocabulary. If ChatML's tokens are in it that is the format; else it is [Named]("raw").
func (m *Model) Detect() (*Format, error) {
	if strings.TrimSpace(m.Template) == "" {
		return detect("", m.Has, m.Name, m.Bases...)
	}
	return m.Jinja(m.Template)
}

// Jinja returns the format that a template in Jinja describes. A template that
// writes what one of [Formats] does is replaced by that. It cannot read files, and
// one that never ends or whose text grows without end is stopped with an error.
func (m *Model) Jinja(template string) (*Format, error) {
	if f, err := recognise(template); err == nil {
		return f, nil
	}
	parsed, err := jinja.Parse(template)
	if err != nil {
		return nil, fmt.Errorf("chat: the chat template cannot be used: %w: choose a format by its name (%s)", err, names())
	}
	f := &Format{Name: "jinja", Usage: "the model's own template", Jinja: true, template: &program{model: m, template: parsed}}
	for _, token := range []string{imEnd, endOfText} {
		if strings.Contains(template, token) {
			f.StopTokens = append(f.StopTokens, token)
		}
	}
	f.addEnds()
	return f, nil
}

// program is a template in Jinja. The text that it writes is cut at the control
// tokens that it spells out itself: what came from messages is never part of one,
// whatever the template does to it.
type program struct {
	model    *Model
	template *jinja.Template
}

func (p *program) render(system string, msgs []Message, prompt bool) ([]Piece, error) {
	if system != "" {
		msgs = append([]Message{{System, system}}, msgs...)
	}
	list, size := make([]any, len(msgs)), 0
	for i, m := range msgs {
		list[i] = [][2]any{{"role", m.Role}, {"content", jinja.Said(m.Content)}}
		size += len(m.Content)
	}
	m := p.model
	text, said, err := p.execute(map[string]any{
		"messages": list, "add_generation_prompt": prompt, "tools": nil, "documents": nil,
		"bos_token": m.BOS, "eos_token": m.EOS, "unk_token": m.UNK, "pad_token": m.PAD,
		"strftime_now": jinja.GoFunc(m.strftime),
	}, limits(len(msgs), size))
	if err != nil {
		return nil, fmt.Errorf("the template reports: %w", err)
	}
	return p.cut(text, said), nil
}

// execute runs the template. Should a strange one find a fault in the interpreter,
// that is an error too.
func (p *program) execute(vars map[string]any, limits jinja.Limits) (text, said string, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("the interpreter failed: %v", fault)
		}
	}()
	return p.template.Traced(vars, limits)
}

// limits returns what a template may do with messages of that number and size
// together: far more than the published ones, whose work grows with the number or,
// where they look at all messages for each, with its square.
func limits(messages, size int) jinja.Limits {
	return jinja.Limits{Steps: 1<<19 + 1<<12*messages, Bytes: 32<<20 + 64*size}
}

// strftime is the function strftime_now of templates.
func (m *Model) strftime(format string) (string, error) {
	now := time.Now
	if m.Now != nil {
		now = m.Now
	}
	return strftime(now(), format)
}

// longestFirst returns the control tokens.
func (m *Model) longestFirst() []string {
	list := slices.DeleteFunc(slices.Clone(m.Control), func(t string) bool { return t == "" })
	slices.SortStableFunc(list, func(a, b string) int { return len(b) - len(a) })
	return list
}

// cut makes pieces of the text that a template has written. Said is not zero for the
// bytes that came from messages, or "" if none did.
func (p *program) cut(text, said string) []Piece {
	var w writer
	f := finder{text: text, said: said, next: map[string]int{}}
	tokens := p.model.longestFirst()
	for done := 0; done < len(text); {
		at, found := len(text), ""
		for _, t := range tokens {
			if i := f.find(t, done); i < at {
				at, found = i, t
			}
		}
		w.text(text[done:at])
		w.add(Piece{found, true})
		done = at + len(found)
	}
	return w.pieces
}

// finder finds tokens that a template wrote.
type finder struct {
	text, said string
	next       map[string]int // where each token was found last
}

// find returns where the token t begins next, from a place on, or the end of the text.
func (f *finder) find(t string, from int) int {
	at, ok := f.next[t]
	for !ok || at < from {
		if ok && at < len(f.text) {
			from = max(from, at+1)
		}
		i := strings.Index(f.text[from:], t)
		if at, ok = from+i, true; i < 0 {
			at = len(f.text)
			break
		}
		if f.said != "" && strings.Trim(f.said[at:at+len(t)], "\x00") != "" {
			from, ok = at+1, false
		}
	}
	f.next[t] = at
	return at
}
