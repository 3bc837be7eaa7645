package grammar

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"mptgo/mpt/grammar/internal/dfa"
)

// printer writes what the library says.
var printer = message.NewPrinter(language.English)

// where names the schema in the library that validates: nothing is read from there.
const where = "mem:///schema.json"

// drafts are the versions of the standard that are known.
var drafts = map[string]*jsonschema.Draft{
	"https://json-schema.org/draft/2020-12/schema": jsonschema.Draft2020, "https://json-schema.org/draft/2019-09/schema": jsonschema.Draft2019,
	"http://json-schema.org/draft-07/schema": jsonschema.Draft7, "http://json-schema.org/draft-06/schema": jsonschema.Draft6,
	"https://json-schema.org/draft-07/schema": jsonschema.Draft7,
}

// validate checks the schema against that of schemas. Without $schema it is of 2020-12, unless
// something in it is only of draft 7.
func (s *schema) validate() error {
	draft := jsonschema.Draft2020
	if x := s.root.fields["$schema"]; x != nil {
		known, ok := drafts[strings.TrimSuffix(x.text, "#")]
		if !ok {
			return failAt(s.root, "$schema", "%q is not known: 2020-12, 2019-09, draft 7 and draft 6 are", x.text)
		}
		draft = known
	} else if ofSeven(s.root, true) {
		draft = jsonschema.Draft7
	}
	s.seven = draft == jsonschema.Draft7 || draft == jsonschema.Draft6
	s.compiler = jsonschema.NewCompiler()
	s.compiler.DefaultDraft(draft)
	s.compiler.AssertFormat()
	s.compiler.UseLoader(noLoader{})
	s.compiler.UseRegexpEngine(func(p string) (jsonschema.Regexp, error) { return s.regexp(p) })
	doc := s.root.plain()
	if all, ok := doc.(map[string]any); ok && all["$schema"] != nil {
		delete(all, "$schema") // it is known already, in one of several spellings
	}
	if err := s.compiler.AddResource(where, doc); err != nil {
		return &SchemaError{"", explain(err)}
	}
	return s.wellFormed(doc, draft)
}

// wellFormed checks a schema against that of its draft.
func (s *schema) wellFormed(doc any, draft *jsonschema.Draft) error {
	meta, err := metaschema(draft)
	if err != nil {
		return err
	}
	var wrong *jsonschema.ValidationError
	if err := meta.Validate(doc); errors.As(err, &wrong) {
		for len(wrong.Causes) > 0 {
			wrong = wrong.Causes[0]
		}
		pointer := ""
		for _, part := range wrong.InstanceLocation {
			pointer += "/" + escapePointer(part)
		}
		return &SchemaError{pointer, wrong.ErrorKind.LocalizedString(printer)}
	}
	return nil
}

// metaschemas are those of drafts that were needed so far.
var metaschemas sync.Map

// metaschema returns the schema of the schemas of a draft.
func metaschema(draft *jsonschema.Draft) (*jsonschema.Schema, error) {
	if meta, ok := metaschemas.Load(draft); ok {
		return meta.(*jsonschema.Schema), nil
	}
	c := jsonschema.NewCompiler()
	c.UseRegexpEngine(func(p string) (jsonschema.Regexp, error) {
		if re, err := regexp.Compile(p); err == nil {
			return re, nil
		}
		return matcher{dfa.Any(), p}, nil // patterns of schemas are looked at where they are used
	})
	meta, err := c.Compile(draft.String())
	if err == nil {
		metaschemas.Store(draft, meta)
	}
	return meta, err
}

// noLoader refuses all other documents.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is another document: only the schema itself is read", url)
}

// explain returns the message of an error of the library.
func explain(err error) string {
	return strings.ReplaceAll(err.Error(), where, "")
}

// regexp returns the automaton of a pattern as the library wants it.
func (s *schema) regexp(pattern string) (jsonschema.Regexp, error) {
	d, err := s.pattern(pattern)
	return matcher{d, pattern}, err
}

type matcher struct {
	d       *dfa.DFA
	pattern string
}

func (m matcher) MatchString(text string) bool { return m.d.Match(text) }
func (m matcher) String() string               { return m.pattern }

// pattern returns the automaton of a pattern.
func (s *schema) pattern(pattern string) (*dfa.DFA, error) {
	if d, ok := s.patterns[pattern]; ok {
		return d, nil
	}
	d, err := dfa.Pattern(pattern)
	if err == nil {
		s.patterns[pattern] = d
	}
	return d, err
}

// obeys reports whether a value obeys a schema, wherever that stands.
func (s *schema) obeys(x any, v *value) (bool, error) {
	if v.kind != isObject {
		return v.kind == isTrue, nil
	}
	check := s.validators[v]
	if check == nil {
		var err error
		if check, err = s.compiler.Compile(where + "#" + fragment(v.pointer)); err != nil {
			return false, &SchemaError{v.pointer, explain(err)}
		}
		s.validators[v] = check
	}
	return check.Validate(x) == nil, nil
}

// fragment writes a pointer as the fragment of a URL.
func fragment(pointer string) string { return (&url.URL{Fragment: pointer}).EscapedFragment() }
