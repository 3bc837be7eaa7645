package grammar

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"mptgo/mpt/grammar/internal/dfa"
)

// Numbers have so many digits, so that a model does not count for ever. What has bounds has no
// exponent and no more digits than a float64 tells apart, as most readers of JSON have it.
const (
	anyInteger = `-?(0|[1-9][0-9]{0,18})`
	anyNumber  = anyInteger + `(\.[0-9]{1,17})?([eE][+-]?([0-9]{1,2}|1[0-9]{2}|2[0-8][0-9]))?`
	mostExact  = 15
)

// number returns the alternatives of a number.
func (s *schema) number(all []*value, types kinds) ([][]symbol, error) {
	b, err := s.limits(all)
	if err != nil {
		return nil, err
	}
	whole := types&kindNumber == 0
	var d *dfa.DFA
	switch {
	case b.some:
		d, err = b.automaton(s.budget, whole)
	case whole:
		d, err = dfa.Whole(s.budget, anyInteger)
	default:
		d, err = dfa.Whole(s.budget, anyNumber)
	}
	if err != nil {
		return nil, s.large(all, "multipleOf", err)
	}
	if d.Empty() {
		s.noteImpossible(all[0], "", "no number is between its bounds")
	}
	r, err := s.automaton(d, s.plainText, func(int32) []symbol { return nil })
	if err != nil {
		return nil, s.large(all, "multipleOf", err)
	}
	return [][]symbol{{{rule: r}}}, nil
}

// limits are what schemas say of a number.
type limits struct {
	some              bool     // they say anything
	low, high         *big.Rat // nil: none, or farther away than any number that is written
	lowOpen, highOpen bool     // they are not in it themselves
	multiples         []*big.Rat
}

// limits returns what schemas say.
func (s *schema) limits(all []*value) (b limits, err error) {
	for _, v := range all {
		for _, name := range []string{"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf"} {
			x := v.fields[name]
			if x == nil {
				continue
			}
			n, ok := number(x.text)
			if !ok || !b.add(name, n) {
				return b, failAt(v, name, "%.40s is too large, or has too many digits", x.text)
			}
		}
		if ofIntegers(v) {
			bits, _ := strconv.Atoi(v.fields["format"].text[len("int"):])
			end := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
			b.add("exclusiveMaximum", new(big.Rat).SetInt(end))
			b.add("minimum", new(big.Rat).Neg(new(big.Rat).SetInt(end)))
		}
	}
	return b, nil
}

// mostBound is how many digits a bound may have on each side of its point.
const mostBound = 40

// farthest is larger than all numbers that are written where there are bounds.
var farthest = new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(mostExact), nil))

// add adds a limit, and reports whether it has few enough digits.
func (b *limits) add(name string, n *big.Rat) bool {
	b.some = true
	open := strings.HasPrefix(name, "exclusive")
	lower := strings.HasSuffix(name, "inimum")
	switch {
	case name == "multipleOf":
	case lower && n.Cmp(new(big.Rat).Neg(farthest)) < 0, !lower && n.Cmp(farthest) > 0:
		return true
	}
	if places, exact := n.FloatPrec(); !exact || places > mostBound {
		return false
	}
	if whole, _ := decimal(new(big.Rat).Abs(n)); len(whole) > mostBound {
		return false
	}
	switch {
	case name == "multipleOf":
		b.multiples = append(b.multiples, n)
	case lower:
		if b.low == nil || n.Cmp(b.low) > 0 || n.Cmp(b.low) == 0 && open {
			b.low, b.lowOpen = n, open
		}
	default:
		if b.high == nil || n.Cmp(b.high) < 0 || n.Cmp(b.high) == 0 && open {
			b.high, b.highOpen = n, open
		}
	}
	return true
}

// automaton returns the numbers within the limits, without exponents.
func (b *limits) automaton(budget *dfa.Budget, whole bool) (*dfa.DFA, error) {
	zero := new(big.Rat)
	// Of negative numbers the digits are those of a positive one between the limits mirrored.
	plus, minus := *b, limits{multiples: b.multiples, lowOpen: b.highOpen, highOpen: b.lowOpen}
	if b.high != nil {
		minus.low = new(big.Rat).Neg(b.high)
	}
	if b.low != nil {
		minus.high = new(big.Rat).Neg(b.low)
	}
	plus.add("minimum", zero)
	minus.add("exclusiveMinimum", zero)
	positive, err := plus.positive(budget, whole)
	if err != nil {
		return nil, err
	}
	negative, err := minus.positive(budget, whole)
	if err != nil {
		return nil, err
	}
	return dfa.Signed(positive, negative), nil
}

// positive returns the numbers within limits that are not negative.
func (b *limits) positive(budget *dfa.Budget, whole bool) (d *dfa.DFA, err error) {
	and := func(more *dfa.DFA, err error) error {
		if err == nil && d != nil {
			more, err = dfa.And(budget, d, more)
		}
		d = more
		return err
	}
	most := mostExact
	for _, m := range b.multiples {
		if err := and(multiple(budget, m)); err != nil {
			return nil, err
		}
		most = min(most, max(mostMultiples/max(len(d.States), 1), 6))
	}
	for _, n := range []*big.Rat{b.low, b.high} {
		if n != nil {
			i, f := decimal(n)
			most = max(most, len(i)+len(f))
		}
	}
	if err := and(dfa.Whole(budget, digitsForm(most, whole))); err != nil {
		return nil, err
	}
	if err := and(dfa.Whole(budget, atLeast(b.low, b.lowOpen))); err != nil {
		return nil, err
	}
	if b.high != nil {
		err = and(dfa.Whole(budget, atMost(b.high, b.highOpen)))
	}
	return d, err
}

// digitsForm returns a pattern of numbers of at most so many digits.
func digitsForm(most int, whole bool) string {
	if whole {
		return fmt.Sprintf(`0|[1-9][0-9]{0,%d}`, most-1)
	}
	list := []string{fmt.Sprintf(`0(\.[0-9]{1,%d})?`, most)}
	for n := 1; n < most; n++ {
		list = append(list, fmt.Sprintf(`[1-9][0-9]{%d}(\.[0-9]{1,%d})?`, n-1, most-n))
	}
	return strings.Join(append(list, fmt.Sprintf(`[1-9][0-9]{%d}`, most-1)), "|")
}

// decimal returns the digits of a number that is not negative before and behind the point.
func decimal(n *big.Rat) (whole, fraction string) {
	places, _ := n.FloatPrec()
	whole, fraction, _ = strings.Cut(n.FloatString(places), ".")
	return whole, strings.TrimRight(fraction, "0")
}

// noNumber matches nothing.
const noNumber = `[^\x00-\u{10ffff}]`

// digits is a class of them; there may be none.
func digits(first, last byte) string {
	if first > last {
		return noNumber
	}
	return `[` + string(first) + `-` + string(last) + `]`
}

// atLeast returns a pattern of the numbers that are not smaller than one that is not negative,
// or only the larger ones.
func atLeast(n *big.Rat, open bool) string {
	whole, fraction := decimal(n)
	const any = `(\.[0-9]*)?`
	list := []string{fmt.Sprintf(`[1-9][0-9]{%d,}%s`, len(whole), any)}
	for i := range len(whole) {
		list = append(list, whole[:i]+digits(whole[i]+1, '9')+fmt.Sprintf(`[0-9]{%d}`, len(whole)-i-1)+any)
	}
	more := `\.` + fraction + `[0-9]*`
	switch {
	case open:
		more = `\.` + fraction + `[0-9]*[1-9][0-9]*`
	case fraction == "":
		more = any
	}
	list = append(list, whole+more)
	for i := range len(fraction) {
		list = append(list, whole+`\.`+fraction[:i]+digits(fraction[i]+1, '9')+`[0-9]*`)
	}
	return strings.Join(list, "|")
}

// atMost returns a pattern of the numbers that are not negative and not larger than one, or
// only the smaller ones. If that is negative there are none.
func atMost(n *big.Rat, open bool) string {
	if n.Sign() < 0 || n.Sign() == 0 && open {
		return noNumber
	}
	whole, fraction := decimal(n)
	const any = `(\.[0-9]*)?`
	var list []string
	if len(whole) > 1 {
		list = append(list, fmt.Sprintf(`[0-9]{1,%d}%s`, len(whole)-1, any))
	}
	for i := range len(whole) {
		if whole[i] > '0' {
			list = append(list, whole[:i]+digits('0', whole[i]-1)+fmt.Sprintf(`[0-9]{%d}`, len(whole)-i-1)+any)
		}
	}
	for i := range len(fraction) {
		if i == 0 {
			list = append(list, whole)
		} else {
			list = append(list, whole+`\.`+fraction[:i])
		}
		if fraction[i] > '0' {
			list = append(list, whole+`\.`+fraction[:i]+digits('0', fraction[i]-1)+`[0-9]*`)
		}
	}
	switch {
	case !open && fraction == "":
		list = append(list, whole+`(\.0*)?`)
	case !open:
		list = append(list, whole+`\.`+fraction+`0*`)
	}
	return strings.Join(list, "|")
}

const (
	mostMultiple  = 10_000 // how large a number may be that others are multiples of, without its point
	mostMultiples = 3000   // states of an automaton with as many digits as it has remainders
)

// multiple returns the decimal numbers that are multiples of one: the state is what remains of
// the digits so far, and how many of them stand behind the point.
func multiple(budget *dfa.Budget, m *big.Rat) (*dfa.DFA, error) {
	whole, fraction := decimal(m)
	p, err := strconv.Atoi(whole + fraction)
	if err != nil || p > mostMultiple {
		return nil, fmt.Errorf("multiples of %s are not supported: want at most %d, without the point",
			m.FloatString(len(fraction)), mostMultiple)
	}
	places := len(fraction)
	stages := places + 2 // before the point, behind it, and so many places
	if err := budget.Spend(11 * p * stages); err != nil {
		return nil, err
	}
	d := &dfa.DFA{States: make([]dfa.State, 1+p*stages)}
	for c := range 10 {
		d.States[0].Edges = append(d.States[0].Edges, digitEdge(c, 1+c%p*stages))
	}
	for rest := range p {
		scaled := rest // by the places that are missing
		for stage := places + 1; stage >= 0; stage-- {
			x := &d.States[1+rest*stages+stage]
			if scaled == 0 {
				x.Label = 1
			}
			if stage > 1 {
				scaled = scaled * 10 % p
			}
			if stage > places {
				continue
			}
			next := stage + 1
			if stage == 0 {
				next = 0
				if places > 0 {
					x.Edges = append(x.Edges, dfa.Edge{First: '.', Last: '.', To: int32(1 + rest*stages + 1)})
				}
			}
			for c := range 10 {
				x.Edges = append(x.Edges, digitEdge(c, 1+(rest*10+c)%p*stages+next))
			}
		}
	}
	return d.Minimize(budget)
}

func digitEdge(c, to int) dfa.Edge {
	return dfa.Edge{First: rune('0' + c), Last: rune('0' + c), To: int32(to)}
}
