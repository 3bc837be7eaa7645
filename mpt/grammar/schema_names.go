package grammar

import (
	"mptgo/mpt/grammar/internal/dfa"
)

// nameRule says what a rule reads of the name of a member that must not be there twice.
type nameRule uint8

const (
	notName  nameRule = iota
	openName          // a quote, perhaps a space before it, and then the rule of the name
	inName            // the rest of the name with the quote behind it, or as much as one byte of it
)

// names makes the rules of members with names of an automaton, whose labels say which rule the
// value has, counted from 1.
func (s *schema) names(o *object, d *dfa.DFA, rules []int32) error {
	b := &byteRules{schema: s, d: d, states: make([]int32, len(d.States)), byPaths: map[string]int32{}}
	for i := range d.States {
		b.states[i] = s.rule("")
		s.g.rules[b.states[i]].kind = inName
	}
	for i, x := range d.States {
		var list []path
		reached := targets(x)
		for _, to := range reached {
			for _, bytes := range spell(to.spans) {
				list = append(list, path{bytes, b.states[to.state]})
			}
		}
		alts, err := b.alternatives(list)
		if err != nil {
			return s.large(o.all, "patternProperties", err)
		}
		if x.Label != 0 {
			alts = append(alts, append(s.literal(nil, `":`), symbol{rule: s.space}, symbol{rule: rules[x.Label-1]}))
		}
		s.g.rules[b.states[i]].alts = alts
		s.g.rules[b.states[i]].free = loops(reached, int32(i))
	}
	first := symbol{rule: b.states[0]}
	for _, opening := range [][]string{{`"`}, {`"`, ` "`}} {
		r := s.rule("")
		s.g.rules[r].kind = openName
		for _, text := range opening {
			s.g.rules[r].alts = append(s.g.rules[r].alts, append(s.literal(nil, text), first))
		}
		o.others = append(o.others, r)
	}
	return nil
}

// byteRules makes rules that read one byte each, so that in every one of them it is known how
// many names may come of what was read.
type byteRules struct {
	*schema
	d       *dfa.DFA
	states  []int32
	byPaths map[string]int32
}

// path is the bytes of a character, and the rule behind them.
type path struct {
	bytes []byteSpan
	to    int32
}

// alternatives returns those of a rule that reads one of some characters.
func (b *byteRules) alternatives(list []path) (alts [][]symbol, err error) {
	// Bytes that lead to the same go together.
	byNext := map[int32]int{}
	for first := 0; first < 256; {
		next, last, err := b.next(list, first)
		if err != nil {
			return nil, err
		}
		if next >= 0 {
			i, ok := byNext[next]
			if !ok {
				i = len(alts)
				byNext[next] = i
				alts = append(alts, []symbol{{rule: -1, set: -1}, {rule: next}})
			}
			set := byteSet{}
			if n := alts[i][0].set; n >= 0 {
				set = b.g.sets[n]
			}
			set.add(byteSpan{byte(first), byte(last)})
			alts[i][0] = b.set(set)
		}
		first = last + 1
	}
	return alts, b.grow(2 * len(alts))
}

// next returns the rule behind a byte, and the last byte that leads to the same characters;
// -1: none has it.
func (b *byteRules) next(list []path, first int) (rule int32, last int, err error) {
	last = 255
	var rest []path
	for _, p := range list {
		from, to := int(p.bytes[0].first), int(p.bytes[0].last)
		switch {
		case first < from:
			last = min(last, from-1)
		case first <= to:
			last = min(last, to)
			if len(p.bytes) == 1 {
				rule = p.to
			}
			rest = append(rest, path{p.bytes[1:], p.to})
		}
	}
	if len(rest) == 0 {
		return -1, last, nil
	}
	if len(rest[0].bytes) > 0 {
		rule, err = b.node(rest)
	}
	return rule, last, err
}

// node returns the rule that reads the rest of one of some characters.
func (b *byteRules) node(list []path) (int32, error) {
	var key []byte
	for _, p := range list {
		for _, x := range p.bytes {
			key = append(key, x.first, x.last)
		}
		key = append(key, 1, 0, byte(p.to), byte(p.to>>8), byte(p.to>>16))
	}
	if r, ok := b.byPaths[string(key)]; ok {
		return r, nil
	}
	alts, err := b.alternatives(list)
	if err != nil {
		return 0, err
	}
	r := b.rule("")
	b.g.rules[r].alts, b.g.rules[r].kind = alts, inName
	b.byPaths[string(key)] = r
	return r, nil
}
