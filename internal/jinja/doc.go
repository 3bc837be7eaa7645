// Package jinja runs the chat templates that come with models, as transformers does:
// the language of Jinja 3.1 with trim_blocks and lstrip_blocks, in its sandbox where
// nothing can be changed, with loop controls and the filter tojson of Python's json.
//
//	t, err := jinja.Parse(source)
//	text, err := t.Render(map[string]any{"messages": messages}, jinja.Limits{Steps: 1 << 20, Bytes: 32 << 20})
//
// What is not here is refused by name, when the template is parsed or when it comes
// to it: tags that read other templates or replace parts (include, import, extends,
// block), do, autoescape, filters for HTML, attributes and methods of Python beyond
// those of texts, dicts and lists. Templates come from anywhere: one that works for
// ever, or makes ever larger texts, is stopped by its [Limits].
//
// Values are those of Go: nil (none), bool, int64, float64, string, and the types of
// this package. Nothing that a template can reach is changed but namespaces.
package jinja

import (
	"errors"
	"fmt"
)

// These are the errors of templates that were stopped.
var (
	ErrSteps = errors.New("it does not come to an end")
	ErrRoom  = errors.New("its text grows without end")
)

// maxSource bounds the text of a template; the largest published ones take some ten
// thousand bytes.
const maxSource = 256 << 10

// Limits bound what a template may do.
type Limits struct {
	Steps int // parts of expressions that are evaluated, and passes of loops
	Bytes int // that all texts and lists take together which are made, those that are forgotten included
}

// Template is a template that was understood. It may be used by several goroutines.
type Template struct {
	body    []stmt
	frame   *frame
	library *library
}

// Parse reads a template.
func Parse(source string) (t *Template, err error) { return parse(source, all) }

// ParseStrict reads a template as Jinja does by itself, for texts other than chats:
// trim_blocks and lstrip_blocks are off, the last new line stays, what is undefined may
// not be used (StrictUndefined), and there is a filter regex_replace(pattern, repl, count=0).
func ParseStrict(source string) (t *Template, err error) { return parse(source, strict) }

func parse(source string, l *library) (t *Template, err error) {
	if len(source) > maxSource {
		return nil, fmt.Errorf("it takes %d bytes: at most %d are supported", len(source), maxSource)
	}
	defer catch(&err)
	p := &parser{tokens: lex(source, l.strict), library: l, uses: map[string]bool{}}
	f := p.open()
	body := p.body()
	if p.at().kind != endOfSource {
		p.fail("unexpected tag %s", p.peek(1))
	}
	p.hide()
	return &Template{body, f, l}, nil
}

// Render returns the text that the template makes of variables, which are given as Go's
// own types: nil, bool, int, float64, string, [Said], []any, [][2]any for a dict in order, map[string]any, and [Func].
func (t *Template) Render(vars map[string]any, limits Limits) (string, error) {
	text, _, err := t.Traced(vars, limits)
	return text, err
}

// Traced is Render, and tells what came from messages: said has a byte for each of the
// text, which is not zero if it, or what the template made it of, came from a [Said].
// It is "" if none did.
func (t *Template) Traced(vars map[string]any, limits Limits) (text, said string, err error) {
	defer catch(&err)
	s := &state{library: t.library, steps: limits.Steps, room: limits.Bytes}
	globals := &scope{}
	for name, v := range builtins {
		globals.set(name, v)
	}
	for name, v := range vars {
		globals.set(name, s.fromGo(v))
	}
	var out builder
	s.run(t.body, globals.inside(t.frame), &out)
	written := out.text()
	return written.s, written.said, nil
}

// failure is how an error leaves nested calls.
type failure struct{ err error }

// catch is deferred: it turns a failure into an error.
func catch(err *error) {
	switch x := recover().(type) {
	case nil:
	case failure:
		*err = x.err
	default:
		panic(x)
	}
}

func fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }
