package grammar

import (
	"fmt"
	"slices"

	"mptgo/mpt/grammar/internal/dfa"
)

// object is one that has to obey some schemas.
type object struct {
	all         []*value
	names       []string // those with schemas of their own, and those that are required
	required    map[string]bool
	least, most int // members; most -1: no limit
	open        bool
	others      []int32 // the rules of members with other names: first, and behind a comma; nil: none
}

// object returns the alternatives of an object.
func (s *schema) object(all []*value) ([][]symbol, error) {
	o := &object{all: all, required: map[string]bool{}}
	var err error
	if o.least, o.most, err = s.bounds(all, "minProperties", "maxProperties"); err != nil {
		return nil, err
	}
	o.find()
	if err := s.grow(len(o.names)); err != nil {
		return nil, s.large(all, "properties", err)
	}
	if err := s.otherNames(o); err != nil {
		return nil, err
	}
	if o.others == nil {
		o.most = min(o.most, len(o.names))
	}
	tail, err := s.members(o)
	if err != nil {
		return nil, err
	}
	return [][]symbol{append(s.literal(nil, "{"), symbol{rule: tail})}, nil
}

// find collects the names, and whether others may be there that nothing is said about.
func (o *object) find() {
	listed, allowed := false, false
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			o.names = append(o.names, name)
		}
	}
	for _, v := range o.all {
		if x := v.fields["properties"]; x != nil {
			for _, name := range x.names {
				add(name)
			}
		}
		x := v.fields["additionalProperties"]
		allowed = allowed || x != nil && x.kind != isFalse
		listed = listed || v.fields["properties"] != nil || v.fields["patternProperties"] != nil
	}
	for _, v := range o.all {
		if x := v.fields["required"]; x != nil {
			for _, name := range x.items {
				add(name.text)
				o.required[name.text] = true
			}
		}
	}
	o.open = allowed || !listed
}

// member returns what the value of a name has to obey, and whether the name may be there.
func (s *schema) member(o *object, name string) (list []*value, possible bool, err error) {
	for _, v := range o.all {
		if x := v.fields["propertyNames"]; x != nil {
			if ok, err := s.obeys(name, x); err != nil || !ok {
				return nil, false, err
			}
		}
		own, said, err := s.memberOf(v, name)
		if err != nil {
			return nil, false, err
		}
		if !said {
			if x := v.fields["additionalProperties"]; x != nil {
				own = append(own, x)
			}
		}
		list = append(list, own...)
	}
	return list, !slices.ContainsFunc(list, func(x *value) bool { return x.kind == isFalse }), nil
}

// memberOf returns what the properties and patterns of one schema say about a name, and whether
// they do.
func (s *schema) memberOf(v *value, name string) (list []*value, said bool, err error) {
	if x := v.fields["properties"]; x != nil && x.fields[name] != nil {
		list = append(list, x.fields[name])
	}
	if x := v.fields["patternProperties"]; x != nil {
		for _, p := range x.names {
			d, err := s.pattern(p)
			if err != nil {
				return nil, false, failAt(x, p, "%v", err)
			}
			if d.Match(name) {
				list = append(list, x.fields[p])
			}
		}
	}
	return list, len(list) > 0, nil
}

// members returns the rule of what follows the opening brace. A rule for each name and each
// number of members so far, as far as that matters, says what comes next.
func (s *schema) members(o *object) (int32, error) {
	counts := max(o.least, 1)
	if o.most >= 0 {
		counts = o.most
	}
	if err := s.grow((len(o.names) + 5) * (counts + 1)); err != nil {
		return 0, s.large(o.all, "maxProperties", err)
	}
	next := s.ends(o, counts) // by number of members
	for _, name := range slices.Backward(o.names) {
		var err error
		if next, err = s.place(o, name, next); err != nil {
			return 0, err
		}
	}
	return next[0], nil
}

// place returns the rules of the place where a name may stand, from those of the place behind.
func (s *schema) place(o *object, name string, next []int32) ([]int32, error) {
	list, possible, err := s.member(o, name)
	if err != nil {
		return nil, err
	}
	var text []symbol
	if possible {
		text = append(s.literal(nil, quoted(name)+":"), symbol{rule: s.space}, symbol{rule: s.conj(list, nil)})
	} else if o.required[name] {
		s.noteImpossible(o.all[0], "required", "%q has to be there and may not", name)
	}
	if err := s.grow(len(next) * (2 + len(text))); err != nil {
		return nil, s.large(o.all, "properties", err)
	}
	here := make([]int32, len(next))
	for count := range next {
		var alts [][]symbol
		if possible && (o.most < 0 || count < o.most) {
			alts = append(alts, slices.Concat(s.comma(count), text, []symbol{{rule: next[min(count+1, len(next)-1)]}}))
		}
		if !o.required[name] {
			alts = append(alts, []symbol{{rule: next[count]}})
		}
		here[count] = s.rule("")
		s.g.rules[here[count]].alts = alts
	}
	return here, nil
}

// comma returns what stands before a member behind count others.
func (s *schema) comma(count int) []symbol {
	if count == 0 {
		return nil
	}
	return append(s.literal(nil, ","), symbol{rule: s.space})
}

// ends returns the rules of what follows the last of the names: other members, and the closing
// brace.
func (s *schema) ends(o *object, counts int) []int32 {
	rules := make([]int32, counts+1)
	for count := range rules {
		rules[count] = s.rule("")
	}
	for count, r := range rules {
		var alts [][]symbol
		if count >= o.least {
			alts = append(alts, s.literal(nil, "}"))
		}
		if o.others != nil && (o.most < 0 || count < o.most) {
			var seq []symbol
			if count > 0 {
				seq = s.literal(nil, ",")
			}
			alts = append(alts,
				append(seq, symbol{rule: o.others[min(count, 1)]}, symbol{rule: rules[min(count+1, counts)]}))
		}
		s.g.rules[r].alts = alts
	}
	if o.least == 0 || o.others == nil {
		return rules
	}
	c := counted{o: o, first: s.g.nameOpened(o.others[0])}
	for _, r := range rules {
		entry := s.rule("")
		s.g.rules[entry].alts = [][]symbol{{{rule: r}}}
		c.entries = append(c.entries, entry)
	}
	s.counted = append(s.counted, c)
	return c.entries
}

// counted is an object that needs some members of other names, of which there may be only so
// many.
type counted struct {
	o       *object
	first   int32   // the rule of such a name
	entries []int32 // the rules of the place where they begin, by the number of members so far
}

// enough removes the entries from which the object cannot have as many members as it needs, and
// reports whether there were any.
func (s *schema) enough(c counted) (removed bool) {
	left := 0
	if r := &s.g.rules[c.first]; len(r.alts) > 0 {
		left = int(r.words)
	}
	for count, entry := range c.entries {
		r := &s.g.rules[entry]
		if len(r.alts) > 0 && count+left < c.o.least {
			r.alts, removed = nil, true
			s.filling = entry
			s.noteImpossible(c.o.all[0], "minProperties", "there are not so many names")
		}
	}
	return removed
}

// otherNames finds the members whose names have no schema of their own. Their automaton says of
// a name which of the patterns match it, and with them which schemas the value has to obey.
func (s *schema) otherNames(o *object) error {
	names, err := s.freeNames(o)
	if err != nil || names == nil {
		return err
	}
	taken, err := dfa.Words(o.names)
	if err != nil {
		return s.large(o.all, "properties", err)
	}
	list := []*dfa.DFA{names, taken}
	for _, v := range o.all {
		x := v.fields["patternProperties"]
		for i := 0; x != nil && i < len(x.names); i++ {
			d, err := s.pattern(x.names[i])
			if err != nil {
				return failAt(x, x.names[i], "%v", err)
			}
			list = append(list, d)
		}
	}
	labels := &nameLabels{schema: s, o: o, byMatch: map[string]int32{}}
	d, err := dfa.Product(s.budget, list, labels.label)
	if err != nil {
		return s.large(o.all, "patternProperties", err)
	}
	if d.Empty() {
		return nil
	}
	return s.names(o, d, labels.rules)
}

// nameLabels are the labels of names: the rules of their values, counted from 1.
type nameLabels struct {
	*schema
	o       *object
	byMatch map[string]int32
	rules   []int32
}

// label returns the label of a name that is in some of the automata: those of all names, of
// names that have schemas of their own, and of the patterns.
func (n *nameLabels) label(in []bool) int32 {
	if !in[0] || in[1] {
		return 0
	}
	key := fmt.Sprint(in[2:])
	label, ok := n.byMatch[key]
	if !ok {
		if values, possible := n.otherMember(n.o, in[2:]); possible {
			n.rules = append(n.rules, n.conj(values, nil))
			label = int32(len(n.rules))
		}
		n.byMatch[key] = label
	}
	return label
}

// otherMember returns what the value of a name has to obey that some of the patterns match.
func (s *schema) otherMember(o *object, matched []bool) (list []*value, possible bool) {
	said := o.open
	at := 0
	for _, v := range o.all {
		own := 0
		if x := v.fields["patternProperties"]; x != nil {
			for _, p := range x.names {
				if matched[at] {
					list = append(list, x.fields[p])
					own++
				}
				at++
			}
		}
		if x := v.fields["additionalProperties"]; own == 0 && x != nil {
			list = append(list, x)
		}
		said = said || own > 0
	}
	return list, said && !slices.ContainsFunc(list, func(x *value) bool { return x.kind == isFalse })
}

// freeNames returns an automaton of the names that propertyNames allows; nil: only those with
// schemas of their own may be there.
func (s *schema) freeNames(o *object) (*dfa.DFA, error) {
	patterned := false
	var list []*value
	for _, v := range o.all {
		patterned = patterned || v.fields["patternProperties"] != nil
		if x := v.fields["propertyNames"]; x != nil {
			list = append(list, x)
		}
	}
	if !o.open && !patterned || o.most == 0 {
		return nil, nil
	}
	all, possible, err := s.conjuncts(list)
	if err != nil || !possible {
		return nil, err
	}
	if c, open := unchosen(all, nil); open {
		return nil, failAt(c.of, c.keyword,
			"alternatives of names are not supported: write them as one pattern or enum")
	}
	return s.nameTexts(all)
}

// nameTexts returns an automaton of the strings that obey schemas; nil: there are none.
func (s *schema) nameTexts(all []*value) (*dfa.DFA, error) {
	if values, is, err := s.finite(all); is || err != nil {
		var words []string
		for _, v := range values {
			if v.kind == isString {
				words = append(words, v.text)
			}
		}
		d, tooLarge := dfa.Words(words)
		if tooLarge != nil {
			return nil, s.large(all, "enum", tooLarge)
		}
		return d, err
	}
	if types, err := s.types(all); err != nil || types&kindString == 0 {
		return nil, err
	}
	d, least, most, err := s.stringOf(all)
	if err == nil && d == nil {
		if d, err = dfa.Length(least, most); err != nil {
			return nil, s.large(all, "maxLength", err)
		}
	}
	return d, err
}
