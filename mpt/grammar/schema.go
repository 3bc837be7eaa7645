package grammar

import (
	"errors"
	"fmt"
	"slices"
	"strings"

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

// mostCompiling is how much work a schema may take: a second, more or less.
const mostCompiling = 20_000_000

// ParseSchema returns the grammar of the JSON values that a schema allows: JSON schema 2020-12,
// 2019-09, draft 7 or 6. It fails with a [*SchemaError] for what it does not enforce, for what
// no value can obey, and for what is too large; only annotations are ignored.
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
		builder: newBuilder(), root: root, byConj: map[string]int32{}, fine: map[*value]bool{}, straight: map[*value]bool{}, checked: map[*value]bool{},
		patterns: map[string]*dfa.DFA{}, validators: map[*value]*jsonschema.Schema{}, strings: map[[2]int]int32{},
		classes: map[string][]symbol{}, reasons: map[int32]*SchemaError{}, budget: dfa.NewBudget(mostCompiling),
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
	if err := s.settle(); err != nil {
		return nil, err
	}
	if err := s.g.machine.init(s.g); err != nil {
		return nil, &SchemaError{"", strings.TrimPrefix(err.Error(), "grammar: ")}
	}
	return s.g, nil
}

// schema is one that is compiled. Each set of schemas that a value has to obey at once has a
// rule; they are filled one after the other, since they may be recursive.
type schema struct {
	builder
	root       *value
	anchors    map[string]*value
	draft      *jsonschema.Draft
	compiler   *jsonschema.Compiler
	validators map[*value]*jsonschema.Schema
	fine       map[*value]bool // its keywords were looked at
	straight   map[*value]bool // it does not need itself
	checked    map[*value]bool // all that is inside was looked at, too
	budget     *dfa.Budget

	byConj   map[string]int32
	todo     []pending
	patterns map[string]*dfa.DFA
	strings  map[[2]int]int32 // by lengths
	classes  map[string][]symbol
	counted  []counted
	space    int32 // the rule of a space that may be there
	char     int32 // the rule of a character of a string; 0: not there yet

	filling int32                  // the rule that is filled; -1: what is tried now is not what is wanted
	reasons map[int32]*SchemaError // why no value can be where a rule stands
}

// pending is a rule that has to be filled: of a value that obeys all of some schemas, in which
// some alternatives were chosen.
type pending struct {
	rule   int32
	list   []*value
	chosen []choice
}

// choice is a list of alternatives: anyOf or oneOf of a schema.
type choice struct {
	of      *value
	keyword string
}

func (c choice) items() []*value { return c.of.fields[c.keyword].items }

func failAt(v *value, keyword, format string, args ...any) error {
	pointer := v.pointer
	if keyword != "" {
		pointer += "/" + escapePointer(keyword)
	}
	return &SchemaError{pointer, fmt.Sprintf(format, args...)}
}

// noteImpossible notes why a value cannot be where the rule that is filled stands: it matters
// only if nothing else can be there.
func (s *schema) noteImpossible(v *value, keyword, format string, args ...any) {
	if s.filling >= 0 && s.reasons[s.filling] == nil {
		s.reasons[s.filling] = failAt(v, keyword, format, args...).(*SchemaError)
	}
}

// settle removes what no value can be. With it names may go that objects count on, which may
// make more impossible.
func (s *schema) settle() error {
	for again := true; again; {
		if ends := s.g.fixpoint(false); !ends[0] {
			return s.impossible(ends)
		}
		s.g.prune()
		s.g.countNames()
		again = false
		for _, c := range s.counted {
			again = s.enough(c) || again
		}
	}
	if err := s.g.check(); err != nil {
		return &SchemaError{"", strings.TrimPrefix(err.Error(), "grammar: ")}
	}
	return nil
}

// impossible returns why the schema allows nothing: the first reason on the way from the root
// through what cannot be left out.
func (s *schema) impossible(ends []bool) error {
	seen := map[int32]bool{}
	for r := int32(0); !seen[r]; {
		seen[r] = true
		if x := s.reasons[r]; x != nil {
			return &SchemaError{x.Pointer, "no value can obey the schema: " + x.Message}
		}
		alts := s.g.rules[r].alts
		if len(alts) == 0 {
			break
		}
		last := alts[len(alts)-1] // where something may be left out, it is in this one
		r = last[slices.IndexFunc(last, func(x symbol) bool { return x.rule >= 0 && !ends[x.rule] })].rule
	}
	return &SchemaError{"", "no value that ends can obey it: it needs itself"}
}

// conj returns the rule of a value that obeys all of some schemas.
func (s *schema) conj(list []*value, chosen []choice) int32 {
	ids := make([]int, 0, len(list)+len(chosen))
	for _, v := range list {
		ids = append(ids, v.id)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for _, c := range chosen {
		ids = append(ids, ^c.of.id) // once for anyOf, and again for oneOf, which comes behind it
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
		s.filling = p.rule
		alts, err := s.fill(p)
		if err == nil {
			err = s.grow(1)
		}
		var fail *SchemaError
		if err != nil && !errors.As(err, &fail) {
			err = s.large(p.list, "", err)
		}
		if err != nil {
			return err
		}
		s.g.rules[p.rule].alts = alts
	}
	return nil
}

// fill returns the alternatives of a rule.
func (s *schema) fill(p pending) ([][]symbol, error) {
	all, possible, err := s.conjuncts(p.list)
	if err != nil || !possible {
		return nil, err
	}
	c, open := unchosen(all, p.chosen)
	if !open {
		return s.leaf(all)
	}
	chosen := append(slices.Clone(p.chosen), c)
	if c.keyword == "oneOf" {
		if err := s.checkDisjoint(c, all, chosen); err != nil {
			return nil, err
		}
	}
	var alts [][]symbol
	for _, v := range c.items() {
		alts = append(alts, []symbol{{rule: s.conj(append(slices.Clone(all), v), chosen)}})
	}
	return alts, s.grow(2 * len(alts))
}

// conjuncts returns all schemas that some of them demand through $ref and allOf, and whether a
// value can obey them as far as that is seen here.
func (s *schema) conjuncts(list []*value) (all []*value, possible bool, err error) {
	seen := map[*value]bool{}
	todo := slices.Clone(list)
	slices.Reverse(todo)
	for len(todo) > 0 {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[v] || v.kind == isTrue {
			continue
		}
		seen[v] = true
		if v.kind == isFalse {
			s.noteImpossible(v, "", "false allows nothing")
			return nil, false, nil
		}
		if err := s.budget.Spend(2 + len(v.names)); err != nil {
			return nil, false, err
		}
		if err := s.checkKeywords(v); err != nil {
			return nil, false, err
		}
		ref, err := s.reference(v)
		if err != nil {
			return nil, false, err
		}
		all = append(all, v)
		if x := v.fields["allOf"]; x != nil {
			for _, item := range slices.Backward(x.items) {
				todo = append(todo, item)
			}
		}
		if ref != nil { // what stands beside it counts in draft 7, too, for which validators differ
			todo = append(todo, ref)
		}
	}
	return all, true, nil
}

// unchosen returns alternatives of which none was chosen.
func unchosen(all []*value, chosen []choice) (c choice, open bool) {
	for _, v := range all {
		for _, keyword := range []string{"anyOf", "oneOf"} {
			c := choice{v, keyword}
			if v.fields[keyword] != nil && !slices.Contains(chosen, c) {
				return c, true
			}
		}
	}
	return choice{}, false
}

// leaf returns the alternatives of a value by its type.
func (s *schema) leaf(all []*value) ([][]symbol, error) {
	if values, is, err := s.finite(all); is || err != nil {
		if err != nil {
			return nil, err
		}
		return s.enumeration(values), s.grow(len(values))
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
	if types&kindNumber != 0 && slices.ContainsFunc(all, ofIntegers) {
		types &^= kindNumber
	}
	if types == 0 {
		s.noteImpossible(all[0], "type", "several schemas demand different types")
	}
	return types, nil
}

// ofIntegers reports whether the format of a schema is one of integers.
func ofIntegers(v *value) bool {
	x := v.fields["format"]
	return x != nil && (x.text == "int32" || x.text == "int64")
}
