package grammar

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"mptgo/mpt/grammar/internal/dfa"
)

// SchemaError says what of a JSON schema cannot be kept.
type SchemaError struct {
	Pointer string // JSON pointer to where it stands; "" is the whole schema
	Message string
}

func (e *SchemaError) Error() string {
	if e.Pointer == "" {
		return "schema: " + e.Message
	}
	return "schema " + e.Pointer + ": " + e.Message
}

// mostCompiling is how long a schema may take.
const mostCompiling = 2 * time.Second

// ParseSchema returns the grammar of the JSON values that a schema allows: JSON schema 2020-12,
// 2019-09, draft 7 or 6. It fails with a [*SchemaError] for what it does not enforce; only
// annotations are ignored.
//
// Of the texts that the schema allows, the grammar has those in one form: the names of an
// object in the order of properties, others behind them, none twice; at most one space behind
// colons and commas, and no other; numbers of limited length. An object with properties or
// patternProperties has no other names unless additionalProperties is there and allows them.
func ParseSchema(text string) (*Grammar, error) {
	root, err := readSchema(text)
	if err != nil {
		return nil, err
	}
	s := &schema{
		builder: newBuilder(), root: root, byConj: map[string]int32{}, fine: map[*value]bool{}, straight: map[*value]bool{}, patterns: map[string]*dfa.DFA{},
		validators: map[*value]*jsonschema.Schema{}, strings: map[[2]int]int32{}, classes: map[string][]symbol{},
		until: time.Now().Add(mostCompiling),
	}
	if err := s.validate(); err != nil {
		return nil, err
	}
	s.g.once = true
	s.rule("root")
	s.space = s.rule("")
	s.g.rules[s.space].alts = [][]symbol{s.literal(nil, " "), {}}
	s.g.rules[0].alts = [][]symbol{{{rule: s.conj([]*value{root}, nil)}}}
	if err := s.fillAll(); err != nil {
		return nil, err
	}
	if !s.g.prune() {
		return nil, s.impossible()
	}
	s.g.countNames()
	if err := s.g.check(); err != nil {
		return nil, &SchemaError{"", strings.TrimPrefix(err.Error(), "grammar: ")}
	}
	return s.g, s.g.machine.init(s.g)
}

// schema is one that is compiled. Each set of schemas that a value has to obey at once has a
// rule; they are filled one after the other, since they may be recursive.
type schema struct {
	builder
	root       *value
	anchors    map[string]*value
	seven      bool // draft 7 or 6
	compiler   *jsonschema.Compiler
	validators map[*value]*jsonschema.Schema
	fine       map[*value]bool // its keywords were looked at
	straight   map[*value]bool // it does not need itself

	byConj   map[string]int32
	todo     []pending
	patterns map[string]*dfa.DFA
	strings  map[[2]int]int32 // by lengths
	classes  map[string][]symbol
	space    int32 // the rule of a space that may be there
	char     int32 // the rule of a character of a string; 0: not there yet

	reason *SchemaError // why the first value that cannot be there cannot
	until  time.Time
}

// pending is a rule that has to be filled: of a value that obeys all of some schemas, in which
// some alternatives were chosen.
type pending struct {
	rule   int32
	list   []*value
	chosen []*value // lists of alternatives
}

func failAt(v *value, keyword, format string, args ...any) error {
	pointer := v.pointer
	if keyword != "" {
		pointer += "/" + escapePointer(keyword)
	}
	return &SchemaError{pointer, fmt.Sprintf(format, args...)}
}

// never notes why a value cannot be: it matters only if nothing else can be in its place.
func (s *schema) never(v *value, keyword, format string, args ...any) {
	if s.reason == nil {
		s.reason = failAt(v, keyword, format, args...).(*SchemaError)
	}
}

// impossible returns why the schema allows nothing.
func (s *schema) impossible() error {
	if s.reason == nil {
		return &SchemaError{"", "no value that ends can obey it: it needs itself"}
	}
	return &SchemaError{s.reason.Pointer, "no value can obey the schema: " + s.reason.Message}
}

// conj returns the rule of a value that obeys all of some schemas.
func (s *schema) conj(list, chosen []*value) int32 {
	ids := make([]int, 0, len(list)+len(chosen))
	for _, v := range list {
		ids = append(ids, v.id)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for _, v := range chosen {
		ids = append(ids, ^v.id)
	}
	key := fmt.Sprint(ids)
	r, ok := s.byConj[key]
	if !ok {
		r = s.rule("")
		s.byConj[key] = r
		s.todo = append(s.todo, pending{r, list, chosen})
	}
	return r
}

func (s *schema) fillAll() error {
	for len(s.todo) > 0 {
		p := s.todo[len(s.todo)-1]
		s.todo = s.todo[:len(s.todo)-1]
		if err := s.grow(1); err != nil {
			return &SchemaError{"", strings.TrimPrefix(err.Error(), "grammar: ")}
		}
		if time.Now().After(s.until) {
			return &SchemaError{"", fmt.Sprintf("it takes longer than %v to compile: make it simpler", mostCompiling)}
		}
		alts, err := s.fill(p)
		if errors.Is(err, errTooLarge) {
			return s.large(p.list, "", err)
		} else if err != nil {
			return err
		}
		s.g.rules[p.rule].alts = alts
	}
	return nil
}

// fill returns the alternatives of a rule.
func (s *schema) fill(p pending) ([][]symbol, error) {
	all, possible, err := s.expand(p.list)
	if err != nil || !possible {
		return nil, err
	}
	if choice, one := unchosen(all, p.chosen); choice != nil {
		if one {
			if err := s.checkApart(choice, all); err != nil {
				return nil, err
			}
		}
		var alts [][]symbol
		chosen := append(slices.Clone(p.chosen), choice)
		for _, v := range choice.items {
			alts = append(alts, []symbol{{rule: s.conj(append(slices.Clone(all), v), chosen)}})
		}
		return alts, s.grow(2 * len(alts))
	}
	return s.leaf(all)
}

// expand returns all schemas that some of them demand, without anyOf and oneOf, and whether a
// value can obey them as far as that is seen here.
func (s *schema) expand(list []*value) (all []*value, possible bool, err error) {
	for todo := slices.Clone(list); len(todo) > 0; {
		v := todo[0]
		todo = todo[1:]
		if slices.Contains(all, v) {
			continue
		}
		switch v.kind {
		case isTrue:
			continue
		case isFalse:
			s.never(v, "", "false allows nothing")
			return nil, false, nil
		}
		if err := s.checkKeywords(v); err != nil {
			return nil, false, err
		}
		ref, err := s.reference(v)
		if err != nil {
			return nil, false, err
		}
		if ref != nil {
			// What stands beside it counts in draft 7, too, for which validators differ.
			todo = append([]*value{ref}, todo...)
		}
		all = append(all, v)
		if x := v.fields["allOf"]; x != nil {
			todo = append(slices.Clone(x.items), todo...)
		}
	}
	return all, true, nil
}

// unchosen returns a list of alternatives that none was chosen of, and whether exactly one of
// them has to be obeyed.
func unchosen(all, chosen []*value) (list *value, one bool) {
	for _, v := range all {
		for _, keyword := range []string{"anyOf", "oneOf"} {
			if x := v.fields[keyword]; x != nil && !slices.Contains(chosen, x) {
				return x, keyword == "oneOf"
			}
		}
	}
	return nil, false
}

// leaf returns the alternatives of a value by its type.
func (s *schema) leaf(all []*value) ([][]symbol, error) {
	if values, is, err := s.finite(all); is || err != nil {
		return s.enumeration(values), err
	}
	types, err := s.types(all)
	if err != nil {
		return nil, err
	}
	var alts [][]symbol
	for _, x := range []struct {
		is   kinds
		make func([]*value) ([][]symbol, error)
	}{
		{kindObject, s.object}, {kindArray, s.array}, {kindString, s.text},
		{kindNumber | kindInteger, func(all []*value) ([][]symbol, error) { return s.number(all, types) }},
		{kindBoolean, func([]*value) ([][]symbol, error) {
			return [][]symbol{s.literal(nil, "true"), s.literal(nil, "false")}, nil
		}},
		{kindNull, func([]*value) ([][]symbol, error) { return [][]symbol{s.literal(nil, "null")}, nil }},
	} {
		if types&x.is == 0 {
			continue
		}
		more, err := x.make(all)
		if err != nil {
			return nil, err
		}
		alts = append(alts, more...)
	}
	return alts, s.grow(len(alts))
}

// kinds is a set of types. Integers are numbers, too: both bits say number.
type kinds int

const (
	kindNull kinds = 1 << iota
	kindBoolean
	kindObject
	kindArray
	kindString
	kindInteger
	kindNumber
	anyKind = kindNumber*2 - 1
)

var kindOf = map[string]kinds{
	"null": kindNull, "boolean": kindBoolean, "object": kindObject, "array": kindArray, "string": kindString,
	"integer": kindInteger, "number": kindNumber | kindInteger,
}

// typesOf returns the types that a schema names; if it names none, any.
func typesOf(v *value) (types kinds, named bool) {
	x := v.fields["type"]
	if x == nil {
		return anyKind, false
	}
	if x.kind == isString {
		return kindOf[x.text], true
	}
	for _, t := range x.items {
		types |= kindOf[t.text]
	}
	return types, true
}

// types returns those that a value may have. If no schema names any, they are those that the
// schemas say more about, and any if they say nothing.
func (s *schema) types(all []*value) (kinds, error) {
	types, implied, named := anyKind, kinds(0), false
	for _, v := range all {
		t, is := typesOf(v)
		types, named = types&t, named || is
		for _, name := range v.names {
			about := keywords[name].about
			if name == "format" && dfa.OfNumbers(v.fields[name].text) {
				about = kindNumber | kindInteger
			}
			implied |= about
		}
	}
	if !named && implied != 0 {
		types = implied
	}
	if types == 0 {
		s.never(all[0], "type", "several schemas demand different types")
	}
	return types, nil
}
