package grammar

import (
	"slices"
	"strings"

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
	if err := s.otherNames(o); err != nil {
		return nil, err
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
	add := func(name string) {
		if !slices.Contains(o.names, name) {
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
	if err := s.grow((len(o.names) + 1) * (counts + 1)); err != nil {
		return 0, s.large(o.all, "maxProperties", err)
	}
	next, err := s.ends(o, counts) // by number of members
	if err != nil {
		return 0, err
	}
	for _, name := range slices.Backward(o.names) {
		list, possible, err := s.member(o, name)
		if err != nil {
			return 0, err
		}
		var text []symbol
		if possible {
			text = append(s.literal(nil, quoted(name)+":"), symbol{rule: s.space}, symbol{rule: s.conj(list, nil)})
		} else if o.required[name] {
			s.never(o.all[0], "required", "%q has to be there and may not", name)
		}
		here := make([]int32, len(next))
		for count := range next {
			here[count] = s.rule("")
			if err := s.grow(2 + len(text)); err != nil {
				return 0, s.large(o.all, "properties", err)
			}
			var alts [][]symbol
			if possible && (o.most < 0 || count < o.most) {
				seq := slices.Concat(s.comma(count), text, []symbol{{rule: next[min(count+1, counts)]}})
				alts = append(alts, seq)
			}
			if !o.required[name] {
				alts = append(alts, []symbol{{rule: next[count]}})
			}
			s.g.rules[here[count]].alts = alts
		}
		next = here
	}
	return next[0], nil
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
func (s *schema) ends(o *object, counts int) ([]int32, error) {
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
			alts = append(alts, append(seq, symbol{rule: o.others[min(count, 1)]}, symbol{rule: rules[min(count+1, counts)]}))
		}
		s.g.rules[r].alts = alts
	}
	return s.enough(o, rules), s.grow(4 * counts)
}

// enough returns the rules of those places from which as many members can come as have to,
// where others have only so many names; the rest leads nowhere.
func (s *schema) enough(o *object, rules []int32) []int32 {
	left := uint64(0)
	if o.others != nil {
		alts := s.g.rules[o.others[0]].alts
		first := alts[0][len(alts[0])-1].rule
		s.g.countFrom(first, make([]bool, len(s.g.rules)))
		s.g.spreadNames()
		left = uint64(s.g.rules[first].words)
	}
	in := slices.Clone(rules)
	for count := range in {
		if uint64(count)+left < uint64(o.least) {
			in[count] = s.rule("")
		}
	}
	if len(o.names) == 0 && uint64(o.least) > left {
		s.never(o.all[0], "minProperties", "there are not so many names")
	}
	return in
}

// otherNames finds the members whose names have no schema of their own.
func (s *schema) otherNames(o *object) error {
	names, err := s.freeNames(o)
	if err != nil || names == nil {
		return err
	}
	taken, err := dfa.Words(o.names)
	if err != nil {
		return s.large(o.all, "properties", err)
	}
	list, patterns := []*dfa.DFA{names, taken}, []string(nil)
	for _, v := range o.all {
		if x := v.fields["patternProperties"]; x != nil {
			for _, p := range x.names {
				d, err := s.pattern(p)
				if err != nil {
					return failAt(x, p, "%v", err)
				}
				list, patterns = append(list, d), append(patterns, p)
			}
		}
	}
	kinds := map[string]int32{}
	var rules []int32
	d, err := dfa.Product(list, func(in []bool) int32 {
		if !in[0] || in[1] {
			return 0
		}
		key := strings.Builder{}
		for _, is := range in[2:] {
			key.WriteByte("01"[b2i(is)])
		}
		label, ok := kinds[key.String()]
		if !ok {
			if values, possible := s.otherMember(o, in[2:]); possible {
				rules = append(rules, s.conj(values, nil))
				label = int32(len(rules))
			}
			kinds[key.String()] = label
		}
		return label
	})
	if err != nil {
		return s.large(o.all, "patternProperties", err)
	}
	if d.Empty() {
		return nil
	}
	return s.names(o, d, rules)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
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
	all, possible, err := s.expand(list)
	if err != nil || !possible {
		return nil, err
	}
	if choice, _ := unchosen(all, nil); choice != nil {
		return nil, &SchemaError{choice.pointer, "alternatives of names are not supported: write them as one pattern or enum"}
	}
	if values, is, err := s.finite(all); is || err != nil {
		var words []string
		for _, v := range values {
			if v.kind == isString {
				words = append(words, v.text)
			}
		}
		d, tooLarge := dfa.Words(words)
		if tooLarge != nil {
			return nil, s.large(o.all, "propertyNames", tooLarge)
		}
		return d, err
	}
	if types, err := s.types(all); err != nil || types&kindString == 0 {
		return nil, err
	}
	d, least, most, err := s.stringOf(all)
	if err == nil && d == nil {
		d, err = dfa.Length(least, most)
		if err != nil {
			return nil, s.large(all, "maxLength", err)
		}
	}
	return d, err
}
