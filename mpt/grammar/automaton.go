package grammar

import "mptgo/mpt/grammar/internal/dfa"

// plainText appends a character of some spans as it is.
func (b *builder) plainText(seq []symbol, spans []span) []symbol {
	var list [][]byteSpan
	sequences(spans, func(bytes []byteSpan) { list = append(list, bytes) })
	return b.either(seq, list)
}

// automaton returns a rule that reads the words of an automaton; what follows depends on the
// label of the word.
func (b *builder) automaton(d *dfa.DFA, write func([]symbol, []span) []symbol, end func(label int32) []symbol) (int32, error) {
	if d.Empty() {
		return b.rule(""), nil
	}
	first := int32(len(b.g.rules))
	for range d.States {
		b.rule("")
	}
	for i, x := range d.States {
		var alts [][]symbol
		if x.Label != 0 {
			alts = append(alts, end(x.Label))
		}
		list := targets(x)
		for _, to := range list {
			alts = append(alts, append(write(nil, to.spans), symbol{rule: first + to.state}))
		}
		r := &b.g.rules[first+int32(i)]
		r.alts, r.free = alts, loops(list, int32(i))
		if err := b.grow(3 * len(alts)); err != nil {
			return 0, err
		}
	}
	return first, nil
}

// loops returns how many of the characters that stand for themselves in a string of JSON may
// follow a state if all of them lead back to it, else 0.
func loops(list []target, state int32) int32 {
	for _, to := range list {
		if to.state == state && len(complement(append(to.spans, specialCharacters...))) == 0 {
			return mostSymbols
		}
	}
	return 0
}

// target is a state with the characters that lead to it.
type target struct {
	state int32
	spans []span
}

// targets returns where a state leads to, in the order of the characters.
func targets(x dfa.State) (list []target) {
	at := map[int32]int{}
	for _, e := range x.Edges {
		i, ok := at[e.To]
		if !ok {
			i = len(list)
			at[e.To] = i
			list = append(list, target{state: e.To})
		}
		list[i].spans = append(list[i].spans, span{e.First, e.Last})
	}
	return list
}
