package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"mptgo/mpt"
	"mptgo/mpt/grammar"
)

// shapes makes constraints on the form of answers: grammars, the last ones of which are kept.
type shapes struct {
	vocabulary func() *grammar.Vocabulary // made when it is first needed

	mu     sync.Mutex
	recent []compiled // the last used one first
}

// compiled is a grammar with what it was made from.
type compiled struct {
	from source
	g    *grammar.Grammar
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
		var list []string
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			return nil, errors.New("want a list of strings")
		}
		return grammar.Choice(list)
	}}
)

// keptGrammars is how many: what a grammar knows of its states may take some megabytes.
const keptGrammars = 64

func newShapes(m *mpt.Model) *shapes {
	return &shapes{vocabulary: sync.OnceValue(func() *grammar.Vocabulary { return grammar.VocabularyOf(m.Tokenizer()) })}
}

// grammar finds a grammar, or compiles it.
func (s *shapes) grammar(from source) (*grammar.Grammar, error) {
	if g := s.find(from); g != nil {
		return g, nil
	}
	g, err := from.language.parse(from.text) // may take a while: others go on
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recent = slices.Insert(s.recent, 0, compiled{from, g})
	s.recent = s.recent[:min(len(s.recent), keptGrammars)]
	return g, nil
}

// find returns a grammar that is known and has room for more states; nil: there is none.
func (s *shapes) find(from source) *grammar.Grammar {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.recent, func(c compiled) bool { return c.from == from })
	if i < 0 {
		return nil
	}
	c := s.recent[i]
	s.recent = slices.Delete(s.recent, i, i+1)
	if c.g.Full() {
		return nil
	}
	s.recent = slices.Insert(s.recent, 0, c)
	return c.g
}

// shapeReader reads what the form of an answer has to be. What cannot be kept is refused: to
// ignore it would be worse.
type shapeReader struct {
	f    *fields
	m    *served
	w    *wish
	name string // of the field that has told it
}

func readShape(f *fields, m *served, w *wish) {
	r := &shapeReader{f: f, m: m, w: w}
	r.format()
	for _, x := range []struct {
		name     string
		language *language
	}{
		{"json_schema", jsonSchema}, {"guided_json", jsonSchema}, {"guided_choice", choice},
		{"grammar", gbnf}, {"guided_grammar", gbnf}, {"guided_regex", regex},
	} {
		switch {
		case !f.has(x.name) || f.all[x.name] == "":
		case x.language == jsonSchema || x.language == choice:
			r.keep(x.name, source{x.language, schemaText(f, x.name)})
		default:
			r.keep(x.name, source{x.language, f.text(x.name)})
		}
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
	o := r.f.object(name)
	t := o.text("type")
	inner := o
	if t == "json_schema" && o.has("json_schema") {
		inner = o.object("json_schema")
	}
	switch {
	case o.err != nil || !o.has("type"):
		r.f.failCode("invalid_schema", name, "want an object with a type")
	case t == "text":
	case t != "json_object" && t != "json_schema":
		r.f.failCode("invalid_schema", name, "the type %q is not known: text, json_object and json_schema are", t)
	case inner.has("schema"):
		r.keep(inner.path+"schema", source{jsonSchema, schemaText(inner, "schema")})
	case t == "json_schema":
		r.f.failCode("invalid_schema", name, "want json_schema with a schema in it")
	default:
		r.keep(name, source{jsonSchema, grammar.JSONObject})
	}
}

// keep has the answer be in the form of a source, which a field has told.
func (r *shapeReader) keep(name string, from source) {
	code := from.language.code
	switch {
	case r.f.err != nil:
	case r.name != "":
		r.f.failCode(code, name, "%s is there, too: give one of the two", r.name)
	case r.w.IgnoreEOS:
		r.f.fail("ignore_eos", "with a grammar or a schema the text ends where that does")
	default:
		g, err := r.m.shapes.grammar(from)
		if err != nil {
			r.f.failCode(code, name, "%s", strings.TrimPrefix(err.Error(), "grammar: "))
		}
		r.w.shape, r.name = g, name
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
		f.failCode("invalid_grammar", "grammar", "the model has no token that ends a text")
	}
	first := w.shape.Matcher(m.shapes.vocabulary(), ends) // made where nobody else waits for it
	for i, id := range begun {
		if err := first.Accept(id); err != nil {
			f.fail(fmt.Sprintf("continue_tokens[%d]", i), "%s", strings.TrimPrefix(err.Error(), "grammar: "))
			return
		}
	}
	w.NewConstraint = func() mpt.Constraint { return first.Clone() }
}
