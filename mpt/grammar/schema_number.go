package grammar

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"mptgo/mpt/grammar/internal/dfa"
)

// Numbers have so many digits, so that a model does not count for ever.
const (
	mostDigits   = 19 // before the point, in what has no bounds
	mostFraction = 17
	anyInteger   = `-?(0|[1-9][0-9]{0,18})`
	anyNumber    = anyInteger + `(\.[0-9]{1,17})?([eE][+-]?([0-9]{1,2}|1[0-9]{2}|2[0-8][0-9]))?`
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
	case len(b.multiples) > 0 || b.low != nil || b.high != nil:
		d, err = b.automaton(whole)
	case whole:
		d, err = dfa.Whole(anyInteger)
	default:
		d, err = dfa.Whole(anyNumber)
	}
	if err != nil {
		return nil, s.large(all, "multipleOf", err)
	}
	if d.Empty() {
		s.never(all[0], "", "no number is between its bounds")
	}
	r, err := s.automaton(d, s.plainText, func(int32) []symbol { return nil })
	return [][]symbol{{{rule: r}}}, err
}

// limits are what schemas say of a number.
type limits struct {
	low, high         *big.Rat // nil: none
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
			if ok {
				n, ok = clamp(n, name)
			}
			if !ok {
				return b, failAt(v, name, "%.40s has too many digits", x.text)
			}
			b.add(name, n)
		}
		if x := v.fields["format"]; x != nil && (x.text == "int32" || x.text == "int64") {
			bits, _ := strconv.Atoi(x.text[3:])
			end := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
			b.add("exclusiveMaximum", new(big.Rat).SetInt(end))
			b.add("minimum", new(big.Rat).SetInt(end.Neg(end)))
		}
	}
	return b, nil
}

func (b *limits) add(name string, n *big.Rat) {
	open := strings.HasPrefix(name, "exclusive")
	switch name {
	case "minimum", "exclusiveMinimum":
		if c := cmpRat(n, b.low); b.low == nil || c > 0 || c == 0 && open {
			b.low, b.lowOpen = n, open
		}
	case "maximum", "exclusiveMaximum":
		if c := cmpRat(n, b.high); b.high == nil || c < 0 || c == 0 && open {
			b.high, b.highOpen = n, open
		}
	default:
		b.multiples = append(b.multiples, n)
	}
}

// mostBound is how many digits a bound may have on each side of its point.
const mostBound = 40

// clamp moves a bound that is farther away than what is written anyway, and reports whether it
// has few enough digits.
func clamp(n *big.Rat, name string) (*big.Rat, bool) {
	far := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(mostBound-1), nil))
	upper := strings.HasSuffix(name, "aximum")
	if !upper {
		far.Neg(far)
	}
	if c := n.Cmp(far); name != "multipleOf" && (upper && c > 0 || !upper && c < 0) {
		return far, true
	}
	if places, exact := n.FloatPrec(); !exact || places > mostBound {
		return nil, false
	}
	whole, fraction := decimal(new(big.Rat).Abs(n))
	return n, len(whole) <= mostBound && len(fraction) <= mostBound
}

func cmpRat(a, b *big.Rat) int {
	if b == nil {
		return 0
	}
	return a.Cmp(b)
}

// automaton returns the numbers within the limits, without exponents.
func (b *limits) automaton(whole bool) (*dfa.DFA, error) {
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
	var list []*dfa.DFA
	for _, x := range []*limits{&plus, &minus} {
		d, err := x.positive(whole)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return dfa.Signed(list[0], list[1]), nil
}

// positive returns the numbers within limits that are not negative.
func (b *limits) positive(whole bool) (*dfa.DFA, error) {
	digits, fraction := mostDigits-1, mostFraction
	for _, n := range []*big.Rat{b.low, b.high} {
		if n != nil {
			i, f := decimal(n)
			digits, fraction = max(digits, len(i)), max(fraction, len(f)+1)
		}
	}
	form := `(0|[1-9][0-9]{0,` + strconv.Itoa(digits) + `})`
	if !whole {
		form += `(\.[0-9]{1,` + strconv.Itoa(fraction) + `})?`
	}
	patterns := []string{form, atLeast(b.low, b.lowOpen)}
	if b.high != nil {
		patterns = append(patterns, atMost(b.high, b.highOpen))
	}
	var list []*dfa.DFA
	for _, p := range patterns {
		d, err := dfa.Whole(p)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	for _, m := range b.multiples {
		d, err := multiple(m)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return dfa.And(list...)
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

// mostMultiple is how large a number may be that others are multiples of, without its point.
const mostMultiple = 10_000

// multiple returns the decimal numbers that are multiples of one: the state is what remains of
// the digits so far, and how many of them stand behind the point.
func multiple(m *big.Rat) (*dfa.DFA, error) {
	whole, fraction := decimal(m)
	p, err := strconv.Atoi(whole + fraction)
	if err != nil || p > mostMultiple {
		return nil, fmt.Errorf("multiples of %s are not supported: want at most %d, without the point", m.FloatString(len(fraction)), mostMultiple)
	}
	places := len(fraction)
	n := places + 2 // integer part, then the point and so many places
	d := &dfa.DFA{States: make([]dfa.State, 1+p*n)}
	state := func(rest, stage int) int32 { return int32(1 + rest*n + stage) }
	for c := range 10 {
		d.States[0].Edges = append(d.States[0].Edges, dfa.Edge{First: rune('0' + c), Last: rune('0' + c), To: state(c%p, 0)})
	}
	for rest := range p {
		for stage := range n {
			x := &d.States[state(rest, stage)]
			behind := max(stage-1, 0)
			scaled := rest
			for range places - behind {
				scaled = scaled * 10 % p
			}
			if scaled == 0 && stage != 1 {
				x.Label = 1
			}
			if stage == 0 && places > 0 {
				x.Edges = append(x.Edges, dfa.Edge{First: '.', Last: '.', To: state(rest, 1)})
			}
			if stage > places {
				continue
			}
			next := stage
			if stage > 0 {
				next++
			}
			for c := range 10 {
				x.Edges = append(x.Edges, dfa.Edge{First: rune('0' + c), Last: rune('0' + c), To: state((rest*10+c)%p, next)})
			}
		}
	}
	return dfa.And(d) // without what leads nowhere
}
