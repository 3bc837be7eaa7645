package grammar

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
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
// something in it is only of the drafts before.
func (s *schema) validate() error {
	s.draft = jsonschema.Draft2020
	if x := s.root.fields["$schema"]; x != nil {
		known, ok := drafts[strings.TrimSuffix(x.text, "#")]
		if !ok {
			return failAt(s.root, "$schema", "%q is not known: 2020-12, 2019-09, draft 7 and draft 6 are", x.text)
		}
		s.draft = known
	} else if ofSeven(s.root) {
		s.draft = jsonschema.Draft7
	}
	if err := s.wellFormed(); err != nil {
		return err
	}
	s.locate()
	if err := s.findAnchors(); err != nil {
		return err
	}
	s.compiler = jsonschema.NewCompiler()
	s.compiler.DefaultDraft(s.draft)
	s.compiler.AssertFormat()
	for _, name := range []string{"int32", "int64"} {
		s.compiler.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(x any) error { return ofBits(x, name) }})
	}
	s.compiler.UseLoader(noLoader{})
	s.compiler.UseRegexpEngine(s.regexp)
	if err := s.compiler.AddResource(where, s.document(s.root)); err != nil {
		return &SchemaError{"", explain(err)}
	}
	return nil
}

// locate has the values that are schemas tell where they stand as such: they may be equal to
// others that stand in enum, for instance, before them.
func (s *schema) locate() {
	seen := map[*value]bool{}
	for todo := []*value{s.root}; len(todo) > 0; {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		eachSubschema(v, func(pointer string, x *value) {
			if !seen[x] {
				seen[x] = true
				x.pointer = pointer
				todo = append(todo, x)
			}
		})
	}
}

// document returns a schema for the library: without $schema, which is known already, and what
// stands beside $ref in an allOf with it, as draft 7 has no other way to make it count.
func (s *schema) document(v *value) any {
	if v.kind != isObject {
		return v.decoded()
	}
	all := map[string]any{}
	for _, name := range v.names {
		x := v.fields[name]
		switch sub := subschemas(&value{names: []string{name}, fields: v.fields}); {
		case name == "$schema":
		case len(sub) == 0:
			all[name] = x.decoded()
		case len(sub) == 1 && sub[0] == x:
			all[name] = s.document(x)
		case x.kind == isArray:
			list := make([]any, len(x.items))
			for i, item := range x.items {
				list[i] = s.document(item)
			}
			all[name] = list
		default:
			fields := map[string]any{}
			for _, key := range x.names {
				fields[key] = s.document(x.fields[key])
			}
			all[name] = fields
		}
	}
	if ref := all["$ref"]; ref != nil && s.draft != jsonschema.Draft2020 && s.draft != jsonschema.Draft2019 {
		delete(all, "$ref")
		list, _ := all["allOf"].([]any)
		all["allOf"] = append(slices.Clone(list), map[string]any{"$ref": ref})
	}
	return all
}

// ofBits checks a number against a format such as int32.
func ofBits(x any, name string) error {
	text, ok := x.(json.Number)
	if !ok {
		return nil
	}
	bits, _ := strconv.Atoi(name[len("int"):])
	n, ok := number(text.String())
	if !ok || !n.IsInt() || n.Num().BitLen() >= bits &&
		n.Num().Cmp(new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), uint(bits-1)))) != 0 {
		return fmt.Errorf("it is not of %d bits", bits)
	}
	return nil
}

// wellFormed checks a schema against that of its draft.
func (s *schema) wellFormed() error {
	meta, err := metaschema(s.draft)
	if err != nil {
		return err
	}
	doc := s.root.decoded()
	if all, ok := doc.(map[string]any); ok {
		delete(all, "$schema") // it may be spelled in a way that its own draft does not know
	}
	var wrong *jsonschema.ValidationError
	if err = meta.Validate(doc); !errors.As(err, &wrong) {
		return err
	}
	for len(wrong.Causes) > 0 {
		wrong = clearest(wrong.Causes)
	}
	pointer := ""
	for _, part := range wrong.InstanceLocation {
		pointer += "/" + escapePointer(part)
	}
	return &SchemaError{pointer, wants(wrong.ErrorKind)}
}

// clearest returns the cause that says most: not that another type is possible, too.
func clearest(causes []*jsonschema.ValidationError) *jsonschema.ValidationError {
	for _, c := range causes {
		if _, ok := c.ErrorKind.(*kind.Type); !ok {
			return c
		}
	}
	return causes[0]
}

// wants says what is wrong with a schema.
func wants(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return fmt.Sprintf("want %s, not %s", strings.Join(k.Want, " or "), k.Got)
	case *kind.Enum:
		return fmt.Sprintf("%v is not known", k.Got)
	case *kind.Minimum:
		return "want a number that is not negative"
	case *kind.ExclusiveMinimum:
		return "want a number above 0"
	case *kind.MinItems:
		return "it is empty"
	}
	return k.LocalizedString(printer)
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

// explain returns the message of an error of the library, which may have many lines.
func explain(err error) string {
	first, _, _ := strings.Cut(strings.ReplaceAll(err.Error(), where, ""), "\n")
	return first
}

// regexp returns the automaton of a pattern as the library wants it. What is not kept matches
// nothing: it is refused where it is needed.
func (s *schema) regexp(pattern string) (jsonschema.Regexp, error) {
	d, err := s.pattern(pattern)
	if err != nil {
		d = &dfa.DFA{}
	}
	return matcher{d, pattern}, nil
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
	d, err := dfa.Pattern(s.budget, pattern)
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
		if err := s.checkAll(v); err != nil {
			return false, err
		}
		var err error
		if check, err = s.compiler.Compile(where + "#" + fragment(v.pointer)); err != nil {
			return false, &SchemaError{v.pointer, explain(err)}
		}
		s.validators[v] = check
	}
	return check.Validate(x) == nil, s.budget.Spend(200)
}

// fragment writes a pointer as the fragment of a URL.
func fragment(pointer string) string { return (&url.URL{Fragment: pointer}).EscapedFragment() }

// ofSeven reports whether a schema has a keyword in a form that only draft 7 and those before
// it know.
func ofSeven(v *value) bool {
	x := v.fields["items"]
	if x != nil && x.kind == isArray || v.fields["additionalItems"] != nil {
		return true
	}
	return slices.ContainsFunc(subschemas(v), ofSeven)
}
