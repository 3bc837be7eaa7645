package jinja

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// printer fills the places of a text, such as %s and %05.2f, as Python does.
type printer struct {
	s      *state
	values []any
	dict   *dict
	spare  bool // values may be left over
	b      builder
}

// place is one place of a format: its flags, width, precision and letter.
type place struct {
	minus, plus, blank, zero, alternate bool
	width, precision                    int // precision is negative if there is none
	letter                              byte
}

// maxWidth bounds how wide a place may be.
const maxWidth = 1 << 20

// printf fills the places of t with v or its items.
func (s *state) printf(t text, v any) text {
	p := &printer{s: s, values: []any{v}}
	if x := tupleItems(v); x != nil {
		p.values = x
	} else {
		p.dict, _ = v.(*dict)
		switch v.(type) {
		case *dict, *list, *ranged, *undefined:
			p.spare = true
		}
	}
	for t.s != "" {
		i := strings.IndexByte(t.s, '%')
		if i < 0 {
			break
		}
		p.b.add(t.cut(0, i))
		t = p.one(t.from(i + 1))
	}
	p.b.add(t)
	if len(p.values) > 0 && !p.spare {
		fail("a format has fewer places than values")
	}
	s.made(p.b.len())
	return p.b.text()
}

// next takes a value.
func (p *printer) next() any {
	if len(p.values) == 0 {
		fail("a format has more places than values")
	}
	v := p.values[0]
	p.values = p.values[1:]
	return v
}

// one fills the place that t begins behind its %, and returns what follows.
func (p *printer) one(t text) text {
	if strings.HasPrefix(t.s, "%") { // with anything between the two, Python refuses the second
		p.b.str("%")
		return t.from(1)
	}
	at := 0
	unsupported := func() { fail("the format %q is not supported", "%"+t.s[:min(len(t.s), 8)]) }
	var v any
	hasValue := false
	if strings.HasPrefix(t.s, "(") {
		end := strings.IndexByte(t.s, ')')
		if end < 0 || p.dict == nil || strings.Contains(t.s[1:end], "(") {
			unsupported()
		}
		var ok bool
		if v, ok = p.dict.get(p.s, t.cut(1, end)); !ok {
			fail("a format has the place %q, which has no value", t.s[:end+1])
		}
		hasValue, p.values, at = true, nil, end+1
	}
	f, at := p.flags(t.s, at, unsupported)
	if !hasValue {
		v = p.next()
	}
	p.write(f, v)
	return t.from(at)
}

// flags reads a place up to its letter.
func (p *printer) flags(t string, at int, unsupported func()) (place, int) {
	f := place{precision: -1}
	for ; at < len(t) && strings.IndexByte("-+ #0", t[at]) >= 0; at++ {
		switch t[at] {
		case '-':
			f.minus = true
		case '+':
			f.plus = true
		case ' ':
			f.blank = true
		case '#':
			f.alternate = true
		case '0':
			f.zero = true
		}
	}
	number := func() (n int) {
		if at < len(t) && t[at] == '*' {
			at++
			return sized(p.next(), "the width")
		}
		for ; at < len(t) && t[at] >= '0' && t[at] <= '9' && n <= maxWidth; at++ {
			n = 10*n + int(t[at]-'0')
		}
		return n
	}
	if f.width = number(); f.width < 0 {
		f.minus, f.width = true, -f.width
	}
	if at < len(t) && t[at] == '.' {
		at++
		f.precision = max(0, number())
	}
	if at < len(t) && strings.IndexByte("hlL", t[at]) >= 0 {
		at++
	}
	if at >= len(t) || f.width > maxWidth || f.precision > maxWidth ||
		strings.IndexByte("diouxXeEfFgGcrsa", t[at]) < 0 {
		unsupported()
	}
	f.letter = t[at]
	return f, at + 1
}

// write writes a value in a place.
func (p *printer) write(f place, v any) {
	switch f.letter {
	case 's':
		p.letters(f, p.s.str(v))
	case 'r':
		p.letters(f, p.s.reprOf(v))
	case 'a':
		p.letters(f, ascii(p.s.reprOf(v)))
	case 'c':
		f.precision = -1
		p.letters(f, character(v))
	default:
		sign, prefix, digits := f.number(v)
		p.number(f, sign, prefix, digits)
	}
}

// letters writes a text as wide as f wants.
func (p *printer) letters(f place, t text) {
	n := utf8.RuneCountInString(t.s)
	if f.precision >= 0 && f.precision < n {
		t = joined(p.s.runes(t)[:f.precision]...)
		n = f.precision
	}
	fill := plain(strings.Repeat(" ", max(0, f.width-n)))
	if f.minus {
		t, fill = fill, t
	}
	p.b.add(fill)
	p.b.add(t)
}

// number writes what a number consists of.
func (p *printer) number(f place, sign, prefix, digits string) {
	switch {
	case sign == "" && f.plus:
		sign = "+"
	case sign == "" && f.blank:
		sign = " "
	}
	n := max(0, f.width-len(sign)-len(prefix)-len(digits))
	switch {
	case f.minus:
		p.b.str(sign + prefix + digits + strings.Repeat(" ", n))
	case f.zero:
		p.b.str(sign + prefix + strings.Repeat("0", n) + digits)
	default:
		p.b.str(strings.Repeat(" ", n) + sign + prefix + digits)
	}
}

// number returns the sign, prefix and digits of v.
func (f place) number(v any) (sign, prefix, digits string) {
	x, ok := numeric(v)
	if !ok {
		fail("the format %%%c of %s is not supported", f.letter, typeName(v))
	}
	if strings.IndexByte("eEfFgG", f.letter) >= 0 {
		digits = f.float(x.float())
	} else {
		digits = f.int(x)
	}
	digits, negative := strings.CutPrefix(digits, "-")
	if negative {
		sign = "-"
	}
	if f.alternate && strings.IndexByte("xXo", f.letter) >= 0 {
		prefix = "0" + string(f.letter)
	}
	if strings.IndexByte("eEfFgG", f.letter) < 0 && len(digits) < f.precision {
		digits = strings.Repeat("0", f.precision-len(digits)) + digits
	}
	return sign, prefix, digits
}

// int writes an int in the base of f; a float loses its fraction where that is decimal.
func (f place) int(x num) string {
	base := map[byte]int{'o': 8, 'x': 16, 'X': 16}[f.letter]
	if base == 0 {
		if !x.whole {
			x, _ = numeric(wholeOf(x.f))
		}
		if x.big != nil {
			return intText(x.big)
		}
		return strconv.FormatInt(x.i, 10)
	}
	if !x.whole {
		fail("the format %%%c of a float is not supported: it needs an int", f.letter)
	}
	t := x.large().Text(base)
	if f.letter == 'X' {
		return strings.ToUpper(t)
	}
	return t
}

// float writes a float as C does.
func (f place) float(x float64) string {
	precision := f.precision
	if precision < 0 {
		precision = 6
	}
	t := ""
	switch lower := f.letter | 0x20; lower {
	case 'g':
		t = general(x, precision, f.alternate)
	default:
		t = strconv.FormatFloat(x, lower, precision, 64)
		if f.alternate && precision == 0 {
			mantissa, exponent, _ := strings.Cut(t, "e")
			if t = mantissa + "."; exponent != "" {
				t += "e" + exponent
			}
		}
	}
	if t = strings.TrimPrefix(t, "+"); f.letter < 'a' {
		return strings.ToUpper(t)
	}
	return strings.ToLower(t)
}

// general is C's %g.
func general(x float64, precision int, zeros bool) string {
	precision = max(1, precision)
	t := strconv.FormatFloat(x, 'e', precision-1, 64)
	mantissa, exponent, ok := strings.Cut(t, "e")
	if !ok {
		return t
	}
	n, _ := strconv.Atoi(exponent)
	if n >= -4 && n < precision {
		mantissa, exponent = strconv.FormatFloat(x, 'f', precision-1-n, 64), ""
	} else {
		exponent = "e" + exponent
	}
	if !zeros && strings.Contains(mantissa, ".") {
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	}
	return mantissa + exponent
}

// character is what %c makes of v.
func character(v any) text {
	switch x := v.(type) {
	case text:
		if utf8.RuneCountInString(x.s) == 1 {
			return x
		}
	case int64, bool:
		n, _ := numeric(x)
		if n.i >= 0 && n.i <= utf8.MaxRune && !(n.i >= 0xD800 && n.i < 0xE000) {
			return plain(string(rune(n.i)))
		}
	}
	fail("the format %%c needs a character, not %s", typeName(v))
	return text{}
}

// ascii escapes all other characters of a repr.
func ascii(t text) text {
	return t.mapped(func(_ int, r rune) string {
		if r < 0x80 {
			return string(r)
		}
		return asASCII(r)
	})
}
