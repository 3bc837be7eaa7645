package server

import (
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

// compiled is a grammar with the text that it was made from.
type compiled struct {
	text string
	g    *grammar.Grammar
}

// keptGrammars is how many: what a grammar knows of its states may take some megabytes.
const keptGrammars = 16

func newShapes(m *mpt.Model) *shapes {
	return &shapes{vocabulary: sync.OnceValue(func() *grammar.Vocabulary { return grammar.VocabularyOf(m.Tokenizer()) })}
}

// grammar compiles a grammar, or finds it.
func (s *shapes) grammar(text string) (*grammar.Grammar, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.recent, func(c compiled) bool { return c.text == text }); i >= 0 {
		c := s.recent[i]
		if s.recent = slices.Delete(s.recent, i, i+1); !c.g.Full() {
			s.recent = slices.Insert(s.recent, 0, c)
			return c.g, nil
		}
	}
	g, err := grammar.Parse(text)
	if err != nil {
		return nil, err
	}
	s.recent = slices.Insert(s.recent, 0, compiled{text, g})
	s.recent = s.recent[:min(len(s.recent), keptGrammars)]
	return g, nil
}

// readShape reads what the form of an answer has to be. What cannot be kept is refused: to
// ignore it would be worse.
func readShape(f *fields, m *served, w *wish) {
	readFormat(f, m, w)
	for _, name := range []string{"json_schema", "guided_json", "guided_regex", "guided_choice"} {
		if v := f.all[name]; v != nil && v != "" {
			f.failCode("invalid_schema", name, "constraints of this kind are not supported yet: use grammar")
		}
	}
	name, text := "grammar", f.text("grammar")
	if other := f.text("guided_grammar"); other != "" {
		if text != "" {
			f.failCode("invalid_grammar", "guided_grammar", "grammar is there, too: give one of the two")
		}
		name, text = "guided_grammar", other
	}
	if text == "" || f.err != nil {
		return
	}
	if w.shape != nil {
		f.failCode("invalid_grammar", name, "response_format is there, too: give one of the two")
		return
	}
	if w.IgnoreEOS {
		f.fail("ignore_eos", "with a grammar the text ends where that does")
		return
	}
	g, err := m.shapes.grammar(text)
	if err != nil {
		f.failCode("invalid_grammar", name, "%s", strings.TrimPrefix(err.Error(), "grammar: "))
		return
	}
	w.shape = g
}

// readFormat reads response_format: text, or any JSON object.
func readFormat(f *fields, m *served, w *wish) {
	if !f.has("response_format") {
		return
	}
	o := f.object("response_format")
	switch t := o.text("type"); {
	case o.err != nil || !o.has("type"):
		f.failCode("invalid_schema", "response_format", "want an object with a type")
	case t == "text":
	case t != "json_object":
		f.failCode("invalid_schema", "response_format", "the type %q is not supported yet: text and json_object are", t)
	case o.has("schema"):
		f.failCode("invalid_schema", "response_format.schema", "schemas are not supported yet: use grammar")
	case w.IgnoreEOS:
		f.fail("ignore_eos", "with a response_format the text ends where that does")
	default:
		g, err := m.shapes.grammar(grammar.JSONObject)
		if err != nil {
			f.failCode("invalid_schema", "response_format", "%v", err)
		}
		w.shape = g
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
