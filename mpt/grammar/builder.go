package grammar

import "slices"

// builder makes the rules of a grammar.
type builder struct {
	g     *Grammar
	bySet map[byteSet]int32
	size  int
}

func newBuilder() builder { return builder{g: &Grammar{}, bySet: map[byteSet]int32{}} }

// rule adds an empty rule.
func (b *builder) rule(name string) int32 {
	b.g.rules = append(b.g.rules, rule{name: name})
	return int32(len(b.g.rules) - 1)
}

// grow counts n symbols more.
func (b *builder) grow(n int) error {
	if b.size += n; b.size > mostSymbols {
		return errTooLarge
	}
	return nil
}

// set returns the symbol of a set of bytes.
func (b *builder) set(s byteSet) symbol {
	n, ok := b.bySet[s]
	if !ok {
		n = int32(len(b.g.sets))
		b.bySet[s] = n
		b.g.sets = append(b.g.sets, s)
	}
	return symbol{rule: -1, set: n}
}

// span returns the symbol of a range of bytes.
func (b *builder) span(x byteSpan) symbol {
	var s byteSet
	s.add(x)
	return b.set(s)
}

// literal appends the bytes of a text.
func (b *builder) literal(seq []symbol, text string) []symbol {
	for i := range len(text) {
		seq = append(seq, b.span(byteSpan{text[i], text[i]}))
	}
	b.size += len(text)
	return seq
}

// either appends one of some sequences of bytes: a set if all have one byte, else a rule.
func (b *builder) either(seq []symbol, sequences [][]byteSpan) []symbol {
	var one byteSet
	var alts [][]symbol
	for _, bytes := range sequences {
		if len(bytes) == 1 {
			one.add(bytes[0])
			continue
		}
		var alt []symbol
		for _, x := range bytes {
			alt = append(alt, b.span(x))
		}
		alts = append(alts, alt)
	}
	b.size += 4 * len(alts)
	if one != (byteSet{}) {
		alts = append(alts, []symbol{b.set(one)})
	}
	if len(alts) == 1 {
		return append(seq, alts[0]...)
	}
	r := b.rule("")
	b.g.rules[r].alts, b.g.rules[r].character = alts, true
	return append(seq, symbol{rule: r})
}

// repeat appends min copies of a rule and then either a rule that repeats itself (most is
// negative) or, for each copy more that may come, a rule inside the one before.
func (b *builder) repeat(seq []symbol, one int32, min, most int) ([]symbol, error) {
	if err := b.grow(min); err != nil {
		return nil, err
	}
	for range min {
		seq = append(seq, symbol{rule: one})
	}
	if most < 0 {
		more := b.rule("")
		b.g.rules[more].alts = [][]symbol{{{rule: one}, {rule: more}}, {}}
		return append(seq, symbol{rule: more}), nil
	}
	rest := int32(-1)
	for range most - min {
		if err := b.grow(1); err != nil {
			return nil, err
		}
		more := b.rule("")
		alt := []symbol{{rule: one}}
		if rest >= 0 {
			alt = append(alt, symbol{rule: rest})
		}
		b.g.rules[more].alts = [][]symbol{alt, {}}
		rest = more
	}
	if rest >= 0 {
		seq = append(seq, symbol{rule: rest})
	}
	return seq, nil
}

// prune removes the alternatives that no text ends, and reports whether root has others.
func (g *Grammar) prune() bool {
	ends := g.fixpoint(false)
	for i := range g.rules {
		g.rules[i].alts = slices.DeleteFunc(g.rules[i].alts, func(alt []symbol) bool {
			return slices.ContainsFunc(alt, func(s symbol) bool { return s.rule >= 0 && !ends[s.rule] })
		})
	}
	return ends[0]
}
