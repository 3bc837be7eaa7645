package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mptgo/mpt"
	"mptgo/mpt/grammar"
)

// shapes makes constraints on the form of answers: grammars, the last ones of which are kept.
type shapes struct {
	vocabulary func() *grammar.Vocabulary // made when it is first needed
	compiling  chan struct{}              // has room for so many as are compiled at the same time

	mu     sync.Mutex
	recent []compiled // the last used one first
}

// compiled is a grammar with what it was made from, or why it could not be made.
type compiled struct {
	from source
	g    *grammar.Grammar
	err  error
}

// source is the text of what an answer has to be, in one of several languages.
type source struct {
	language *language
	text     string
}

// language is one in which the form of answers is told.
type language struct {
	code  string // of errors
	parse func(text string) (*grammar.Grammar, error)
}

var (
	gbnf       = &language{"invalid_grammar", grammar.Parse}
	jsonSchema = &language{"invalid_schema", grammar.ParseSchema}
	regex      = &language{"invalid_grammar", grammar.ParsePattern}
	choice     = &language{"invalid_grammar", func(text string) (*grammar.Grammar, error) {
		var list []*string
		if err := json.Unmarshal([]byte(text), &list); err != nil || slices.Contains(list, nil) {
			return nil, errors.New("want a list of strings")
		}
		texts := make([]string, len(list))
		for i, x := range list {
			texts[i] = *x
		}
		return grammar.Choice(texts)
	}}
)

// What is kept: so many grammars, of which what is known of their states takes so many bytes.
// One grammar may take a second to compile and some hundred megabytes for it, so few are
// compiled at a time.
const (
	keptGrammars  = 64
	keptBytes     = 256 << 20
	compileAtOnce = 2
)

func newShapes(m *mpt.Model) *shapes {
	return &shapes{
		vocabulary: sync.OnceValue(func() *grammar.Vocabulary { return grammar.VocabularyOf(m.Tokenizer()) }),
		compiling:  make(chan struct{}, compileAtOnce),
	}
}

// grammar finds a grammar, or compiles it.
func (s *shapes) grammar(ctx context.Context, from source) (*grammar.Grammar, error) {
	if c, ok := s.find(from); ok {
		return c.g, c.err
	}
	select {
	case s.compiling <- struct{}{}:
		defer func() { <-s.compiling }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c, ok := s.find(from); ok { // others may have waited for the same
		return c.g, c.err
	}
	g, err := from.language.parse(from.text)
	s.keep(compiled{from, g, err})
	return g, err
}

// find returns a grammar that is known and has room for more states.
func (s *shapes) find(from source) (compiled, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.recent, func(c compiled) bool { return c.from == from })
	if i < 0 {
		return compiled{}, false
	}
	c := s.recent[i]
	s.recent = slices.Delete(s.recent, i, i+1)
	if c.g != nil && c.g.Full() {
		return compiled{}, false
	}
	s.recent = slices.Insert(s.recent, 0, c)
	return c, true
}

// keep puts a grammar before the others, of which those go that were not used for longest.
func (s *shapes) keep(c compiled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recent = slices.Insert(s.recent, 0, c)
	bytes := int64(0)
	for i, c := range s.recent {
		bytes += int64(len(c.from.text))
		if c.g != nil {
			bytes += c.g.Bytes()
		}
		if i == keptGrammars || i > 0 && bytes > keptBytes {
			s.recent = slices.Delete(s.recent, i, len(s.recent))
			return
		}
	}
}

// shapeReader reads what the form of an answer has to be. What cannot be kept is refused: to
// ignore it would be worse.
type shapeReader struct {
	f *fields
	m *served
	w *wish
}

func readShape(f *fields, m *served, w *wish) {
	r := &shapeReader{f, m, w}
	r.format()
	r.others()
}

// shapeAs reads the shape of an answer where a dialect asks for it in a field of its own, nil if
// it does not. Other fields that ask for a shape count, too.
func shapeAs(f *fields, m *served, w *wish, name string, from *source) {
	r := &shapeReader{f, m, w}
	if f.has("response_format") {
		f.failCode("invalid_schema", "response_format", "here it is called %s", name)
		return
	}
	if from != nil {
		r.keep(name, *from)
	}
	r.others()
}

// others reads the fields that are the same in all dialects.
func (r *shapeReader) others() {
	f := r.f
	r.fields(f, []shapeField{
		{"json_schema", jsonSchema}, {"guided_json", jsonSchema}, {"guided_choice", choice},
		{"grammar", gbnf}, {"guided_grammar", gbnf}, {"guided_regex", regex}, {"regex", regex},
	})
	if f.has("structured_outputs") { // vLLM's
		r.fields(f.object("structured_outputs"), []shapeField{
			{"json", jsonSchema}, {"choice", choice}, {"grammar", gbnf}, {"regex", regex},
		})
	}
	if f.has("ebnf") {
		f.failCode("invalid_grammar", "ebnf", "grammars of this kind are not supported: use grammar")
	}
}

// shapeField is a field in which the form of answers may stand.
type shapeField struct {
	name     string
	language *language
}

// fields reads those of an object.
func (r *shapeReader) fields(o *fields, list []shapeField) {
	for _, x := range list {
		text := ""
		if x.language == jsonSchema || x.language == choice {
			text = schemaText(o, x.name)
		} else {
			text = o.text(x.name)
		}
		if o.has(x.name) && text != "" {
			r.keep(o.path+x.name, source{x.language, text})
		}
	}
	if r.f.err == nil {
		r.f.err = o.err
	}
}

// schemaText returns the text of a schema, which some send inside of a string.
func schemaText(f *fields, name string) string {
	if text, ok := f.all[name].(string); ok {
		return text
	}
	return string(f.raw(name))
}

// format reads response_format. The schema may stand in json_schema, in json_schema.schema or
// beside the type.
func (r *shapeReader) format() {
	const name = "response_format"
	if !r.f.has(name) {
		return
	}
	fail := func(format string, args ...any) { r.f.failCode("invalid_schema", name, format, args...) }
	o := &fields{}
	if all, ok := r.f.all[name].(map[string]any); ok {
		o = r.f.object(name)
		o.all = all
	}
	t, inner := o.text("type"), o
	if o.has("json_schema") {
		inner = o.object("json_schema")
	}
	switch {
	case o.err != nil || !o.has("type"):
		fail("want an object with a type, and json_schema as an object")
	case t == "text" && (inner != o || o.has("schema")):
		fail("the type is text, and a schema is there, too: want json_schema as the type")
	case t == "text":
	case t != "json_object" && t != "json_schema":
		fail("the type %q is not known: text, json_object and json_schema are", t)
	case inner.has("schema"):
		r.keep(inner.path+"schema", source{jsonSchema, schemaText(inner, "schema")})
	case t == "json_schema" || inner != o:
		fail("want json_schema with a schema in it")
	default:
		r.keep(name, source{jsonSchema, grammar.JSONObject})
	}
}

// keep has the answer be in the form of a source, which a field has told.
func (r *shapeReader) keep(name string, from source) {
	code := from.language.code
	switch {
	case r.f.err != nil:
	case r.w.shapeField != "":
		r.f.failCode(code, name, "%s is there, too: give one of the two", r.w.shapeField)
	case r.w.IgnoreEOS:
		r.f.fail("ignore_eos", "with a grammar or a schema the text ends where that does")
	default:
		g, err := r.m.shapes.grammar(r.w.ctx, from)
		if err != nil {
			r.f.failCode(code, name, "%s", strings.TrimPrefix(err.Error(), "grammar: "))
		}
		r.w.shape, r.w.shapeField = g, name
	}
}

// constrain has answers keep the shape that was asked for, the tokens that they go on with
// too. It comes when the tokens are known that end them.
func (w *wish) constrain(f *fields, m *served, begun []int32) {
	if w.shape == nil || f.err != nil {
		return
	}
	ends := append(slices.Clone(m.Engine.Model().Tokenizer().EOGs()), w.StopTokens...)
	if len(ends) == 0 {
		f.failCode("invalid_grammar", w.shapeField, "the model has no token that ends a text")
		return
	}
	first := w.shape.Matcher(m.shapes.vocabulary(), ends) // made where nobody else waits for it
	for i, id := range begun {
		if err := first.Accept(id); err != nil {
			f.fail(fmt.Sprintf("continue_tokens[%d]", i), "%s", strings.TrimPrefix(err.Error(), "grammar: "))
			return
		}
	}
	w.NewConstraint = func() mpt.Constraint { return &timed{first.Clone(), m.maskTime} }
}

// timed tells how long it takes to find out which tokens may follow.
type timed struct {
	*grammar.Matcher
	took prometheus.Observer
}

func (t *timed) Allow(allowed []uint64) error {
	begun := time.Now()
	err := t.Matcher.Allow(allowed)
	t.took.Observe(time.Since(begun).Seconds())
	return err
}
