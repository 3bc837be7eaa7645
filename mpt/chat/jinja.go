package chat

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mptgo/mpt/chat/jinja"
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

// Detect returns the format of the model: that of its template if there is one,
// else as the function [Detect] finds it.
func (m *Model) Detect() (*Format, error) {
	if strings.TrimSpace(m.Template) == "" {
		return Detect("", m.Has, m.Name, m.Bases...)
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
		return nil, fmt.Errorf("chat: the chat template cannot be used: %w: choose a format with --chat-template NAME (%s)", err, names())
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
// tokens that it spells out itself; those that messages spell are hidden from it.
type program struct {
	model    *Model
	template *jinja.Template
}

func (p *program) render(system string, msgs []Message, prompt bool) ([]Piece, error) {
	if system != "" {
		msgs = append([]Message{{System, system}}, msgs...)
	}
	hide := p.hiding(msgs)
	list, size := make([]any, len(msgs)), 0
	for i, m := range msgs {
		list[i] = [][2]any{{"role", m.Role}, {"content", hide.apply(m.Content)}}
		size += len(m.Content)
	}
	m := p.model
	text, err := p.execute(map[string]any{
		"messages": list, "add_generation_prompt": prompt, "tools": nil, "documents": nil,
		"bos_token": m.BOS, "eos_token": m.EOS, "unk_token": m.UNK, "pad_token": m.PAD,
		"strftime_now": jinja.GoFunc(m.strftime),
	}, limits(len(msgs), size))
	if err != nil {
		return nil, fmt.Errorf("the template reports: %w", err)
	}
	return p.cut(text, hide), nil
}

// execute runs the template. Should a strange one find a fault in the interpreter,
// that is an error too.
func (p *program) execute(vars map[string]any, limits jinja.Limits) (text string, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("the interpreter failed: %v", fault)
		}
	}()
	return p.template.Render(vars, limits)
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

// hiding keeps apart the control tokens that messages spell out: a mark, which is
// in none of the messages, stands in each of them while a template is rendered.
type hiding struct {
	mark string
	in   *strings.Replacer
}

func (p *program) hiding(msgs []Message) hiding {
	h := hiding{}
	for mark := rune(0xFDD0); ; mark++ { // these are no characters, and never will be
		h.mark = string(mark)
		if !slices.ContainsFunc(msgs, func(m Message) bool { return strings.Contains(m.Content, h.mark) }) {
			break
		}
	}
	var pairs []string
	for _, token := range p.model.longestFirst() {
		_, n := firstRune(token)
		pairs = append(pairs, token, token[:n]+h.mark+token[n:])
	}
	h.in = strings.NewReplacer(pairs...)
	return h
}

func (h hiding) apply(s string) string { return h.in.Replace(s) }

// longestFirst returns the control tokens that can be hidden and found.
func (m *Model) longestFirst() []string {
	var list []string
	for _, t := range m.Control {
		if _, n := firstRune(t); n < len(t) {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b string) int { return len(b) - len(a) })
	return list
}

// firstRune returns the first character of s and its length.
func firstRune(s string) (r rune, n int) {
	for i, x := range s {
		if i > 0 {
			return r, i
		}
		r = x
	}
	return r, len(s)
}

// cut makes pieces of the text that a template has written.
func (p *program) cut(text string, hide hiding) []Piece {
	var w writer
	tokens := p.model.longestFirst()
	for text != "" {
		at, found := len(text), ""
		for _, t := range tokens {
			if i := strings.Index(text[:min(len(text), at+len(t))], t); i >= 0 && i < at {
				at, found = i, t
			}
		}
		w.text(strings.ReplaceAll(text[:at], hide.mark, ""))
		w.add(Piece{found, true})
		text = text[at+len(found):]
	}
	return w.pieces
}
