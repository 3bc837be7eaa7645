package grammar

import (
	"fmt"
	"math/big"
	"strings"

	"mptgo/mpt/grammar/internal/dfa"
)

// text returns the alternatives of a string.
func (s *schema) text(all []*value) ([][]symbol, error) {
	d, least, most, err := s.stringOf(all)
	if err != nil {
		return nil, err
	}
	if d == nil {
		r, err := s.free(all, least, most)
		return [][]symbol{{{rule: r}}}, err
	}
	r, err := s.automaton(d, s.spelled, func(int32) []symbol { return s.literal(nil, `"`) })
	if err != nil {
		return nil, s.large(all, "pattern", err)
	}
	return [][]symbol{append(s.literal(nil, `"`), symbol{rule: r})}, nil
}

// stringOf returns what schemas say of a string: an automaton if they have patterns or
// formats, else lengths.
func (s *schema) stringOf(all []*value) (d *dfa.DFA, least, most int, err error) {
	least, most, err = s.bounds(all, "minLength", "maxLength")
	if err != nil {
		return nil, 0, 0, err
	}
	for _, v := range all {
		if d, err = s.andText(d, v); err != nil {
			return nil, 0, 0, err
		}
	}
	if d != nil && (least > 0 || most >= 0) {
		lengths, err := dfa.Length(least, most)
		if err == nil {
			d, err = dfa.And(s.budget, d, lengths)
		}
		if err != nil {
			return nil, 0, 0, s.large(all, "maxLength", err)
		}
	}
	if d != nil && d.Empty() {
		s.noteImpossible(all[0], "", "no string has its pattern, its format and its length at once")
	}
	return d, least, most, nil
}

// andText adds the pattern and the format of a schema to an automaton; nil: any text.
func (s *schema) andText(d *dfa.DFA, v *value) (*dfa.DFA, error) {
	for _, keyword := range []string{"pattern", "format"} {
		x := v.fields[keyword]
		if x == nil {
			continue
		}
		make := s.pattern
		if keyword == "format" {
			make = dfa.Format
		}
		more, err := make(x.text)
		if err == nil && d != nil && more != nil {
			more, err = dfa.And(s.budget, d, more)
		}
		if err != nil {
			return nil, failAt(v, keyword, "%v", err)
		}
		if more != nil {
			d = more
		}
	}
	return d, nil
}

// large returns an error at the first schema that has a keyword.
func (s *schema) large(all []*value, keyword string, err error) error {
	for _, v := range all {
		if v.fields[keyword] != nil {
			return failAt(v, keyword, "%v", err)
		}
	}
	pointer := ""
	if len(all) > 0 {
		pointer = all[0].pointer
	}
	return &SchemaError{pointer, err.Error()}
}

// bounds returns the largest of one keyword and the smallest of another; -1: there is none.
func (s *schema) bounds(all []*value, lower, upper string) (least, most int, err error) {
	most = -1
	for _, v := range all {
		if x := v.fields[lower]; x != nil {
			n, ok := wholeNumber(x.text)
			if !ok {
				return 0, 0, failAt(v, lower, "%s is too large", x.text)
			}
			least = max(least, n)
		}
		if x := v.fields[upper]; x != nil {
			n, ok := wholeNumber(x.text)
			if !ok {
				return 0, 0, failAt(v, upper, "%s is too large: leave it out", x.text)
			}
			if most < 0 || n < most {
				most = n
			}
		}
		if most >= 0 && least > most {
			s.noteImpossible(v, "", "%s is %d and %s is %d", lower, least, upper, most)
		}
	}
	return least, most, nil
}

// wholeNumber reads a number such as 3, 3.0 or 3e2 if it is not too large.
func wholeNumber(text string) (int, bool) {
	r, ok := number(text)
	if !ok || !r.IsInt() || !r.Num().IsInt64() || r.Num().Int64() > mostSymbols {
		return 0, false
	}
	return int(r.Num().Int64()), true
}

// number reads a number, unless it has some hundred digits.
func number(text string) (*big.Rat, bool) {
	if i := strings.IndexAny(text, "eE"); len(text) > 300 || i >= 0 && len(text)-i > 5 {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

// free returns the rule of a string of any characters, in any escapes.
func (s *schema) free(all []*value, least, most int) (int32, error) {
	if r, ok := s.strings[[2]int{least, most}]; ok {
		return r, nil
	}
	r := s.rule("")
	s.strings[[2]int{least, most}] = r
	if most >= 0 && least > most {
		return r, nil
	}
	end := max(least, most)
	if err := s.grow(4 * end); err != nil {
		return 0, s.large(all, "maxLength", err)
	}
	character := s.character()
	first := int32(len(s.g.rules))
	for n := range end + 1 { // by the number of characters so far
		at := s.rule("")
		next, left := at+1, int32(most-n)
		if most < 0 {
			left = mostSymbols
			if n == end {
				next = at
			}
		}
		if n < most || most < 0 {
			s.g.rules[at].alts = append(s.g.rules[at].alts, []symbol{{rule: character}, {rule: next}})
		}
		if n >= least {
			s.g.rules[at].alts = append(s.g.rules[at].alts, s.literal(nil, `"`))
		}
		s.g.rules[at].free = left
	}
	s.g.rules[r].alts = [][]symbol{append(s.literal(nil, `"`), symbol{rule: first})}
	return r, nil
}

// character returns the rule of a character of a string. In escapes there is no half of a
// surrogate pair.
func (s *schema) character() int32 {
	if s.char != 0 {
		return s.char
	}
	s.char = s.rule("")
	s.g.rules[s.char].character = true
	var list [][]byteSpan
	sequences(ordinaryCharacters, func(bytes []byteSpan) { list = append(list, bytes) })
	for _, c := range `"\/bfnrt` {
		list = append(list, escape(one(byte(c))))
	}
	u, any := one('u'), s.hexadecimal()
	for _, form := range [][]symbol{ // \uHHHH, but for surrogates, and pairs of them
		{s.either(nil, [][]byteSpan{{{'0', '9'}}, {{'a', 'c'}}, {{'A', 'C'}}, {{'e', 'f'}}, {{'E', 'F'}}})[0], any, any, any},
		{s.hex("dD"), s.span(byteSpan{'0', '7'}), any, any},
		append(append([]symbol{s.hex("dD"), s.hex("89abAB"), any, any}, s.literal(nil, `\u`)...), s.hex("dD"),
			s.hex("cdefCDEF"), any, any),
	} {
		seq := append([]symbol{s.span(one('\\')), s.span(u)}, form...)
		s.g.rules[s.char].alts = append(s.g.rules[s.char].alts, seq)
	}
	s.g.rules[s.char].alts = append(s.g.rules[s.char].alts, s.either(nil, list))
	return s.char
}

// specialCharacters do not stand for themselves in a string, ordinaryCharacters do.
var (
	specialCharacters  = []span{{0, 0x1f}, {'"', '"'}, {'\\', '\\'}}
	ordinaryCharacters = complement(specialCharacters)
)

func one(b byte) byteSpan { return byteSpan{b, b} }

func escape(b byteSpan) []byteSpan { return []byteSpan{one('\\'), b} }

// hex returns the symbol of one of some digits.
func (s *schema) hex(digits string) symbol {
	var set byteSet
	for i := range len(digits) {
		set.add(one(digits[i]))
	}
	return s.set(set)
}

func (s *schema) hexadecimal() symbol { return s.hex("0123456789abcdefABCDEF") }

// short are the characters that have an escape of one letter.
var short = map[rune]byte{'"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'}

// spell returns the bytes of characters in a string, each in one way: as they are where that is
// allowed, else as a short escape, else as \u00HH.
func spell(spans []span) (list [][]byteSpan) {
	for _, x := range spans {
		direct := x.first
		for r := x.first; r <= min(x.last, '\\'); r++ {
			if r >= 0x20 && r != '"' && r != '\\' {
				continue
			}
			sequences([]span{{direct, r - 1}}, func(b []byteSpan) { list = append(list, b) })
			direct = r + 1
			if letter, ok := short[r]; ok {
				list = append(list, escape(one(letter)))
				continue
			}
			var seq []byteSpan
			for _, c := range []byte(fmt.Sprintf(`\u%04x`, r)) {
				seq = append(seq, one(c))
			}
			list = append(list, seq)
		}
		sequences([]span{{direct, x.last}}, func(b []byteSpan) { list = append(list, b) })
	}
	return list
}

// spelled appends a character of some spans as it stands in a string.
func (s *schema) spelled(seq []symbol, spans []span) []symbol {
	key := fmt.Sprint(spans)
	class, ok := s.classes[key]
	if !ok {
		class = s.either(nil, spell(spans))
		s.classes[key] = class
	}
	return append(seq, class...)
}

// quoted returns a string as it is spelled in JSON.
func quoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		letter, ok := short[r]
		switch {
		case ok:
			b.WriteString(`\` + string(letter))
		case r < 0x20:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
