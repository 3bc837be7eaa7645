package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
)

// asciiNumber returns a text that spells a number, as Python reads one, in the form that
// Go reads: without white space around it, and with digits of other scripts replaced.
func asciiNumber(t string) (string, bool) {
	t = strings.Map(func(r rune) rune {
		if r < 0x80 || !unicode.IsDigit(r) {
			return r
		}
		zero := r
		for unicode.IsDigit(zero-1) && r-zero < 9 {
			zero--
		}
		return '0' + r - zero
	}, strings.TrimFunc(t, isSpace))
	for i := range len(t) {
		digit := func(i int) bool { return i >= 0 && i < len(t) && t[i] >= '0' && t[i] <= '9' }
		if t[i] == '_' && !(digit(i-1) && digit(i+1)) {
			return "", false
		}
	}
	return strings.ReplaceAll(t, "_", ""), true
}

// readFloat is Python's float of a text.
func readFloat(t string) (float64, bool) {
	t, ok := asciiNumber(t)
	if !ok || strings.ContainsAny(t, "xXpP") {
		return 0, false
	}
	x, err := strconv.ParseFloat(t, 64)
	return x, err == nil || math.IsInf(x, 0)
}

// readInt is Python's int of a text.
func readInt(t string, base int) (any, bool) {
	t, ok := asciiNumber(t)
	if !ok {
		return nil, false
	}
	sign, digits := "", t
	if t != "" && (t[0] == '-' || t[0] == '+') {
		sign, digits = t[:1], t[1:]
	}
	if prefix := map[int]string{2: "0b", 8: "0o", 16: "0x"}[base]; prefix != "" && len(digits) > 2 && strings.EqualFold(digits[:2], prefix) {
		digits = digits[2:]
	}
	if digits == "" || strings.ContainsAny(digits, "+-") || base == 10 && len(digits) > maxDigits {
		return nil, false
	}
	x, ok := new(big.Int).SetString(sign+digits, base)
	if !ok {
		return nil, false
	}
	return shrunk(x), true
}

func filterInt(s *state, v any, a *args) any {
	absent, base := a.or("default", int64(0)), a.integer("base", 10)
	switch x := v.(type) {
	case bool, int64, *big.Int:
		return s.arithmetic("+", x, int64(0))
	case float64:
		if math.IsNaN(x) {
			return absent
		}
		return wholeOf(x)
	case text:
		if base < 2 || base > 36 {
			fail("int: the base %d is not supported", base)
		}
		s.made(len(x.s))
		if n, ok := readInt(x.s, base); ok {
			return n
		}
		if f, ok := readFloat(x.s); ok && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return wholeOf(f)
		}
	case *undefined:
		fail("%s is undefined, and no number", x.what)
	}
	return absent
}

func filterFloat(s *state, v any, a *args) any {
	absent := a.or("default", 0.0)
	if n, ok := numeric(v); ok {
		return n.float()
	}
	switch x := v.(type) {
	case text:
		s.made(len(x.s))
		if f, ok := readFloat(x.s); ok {
			return f
		}
	case *undefined:
		fail("%s is undefined, and no number", x.what)
	}
	return absent
}

// filterRound rounds as Python does: halves to the even neighbour, of the number
// that the float is.
func filterRound(s *state, v any, a *args) any {
	digits, how := a.integer("precision", 0), a.or("method", plain("common"))
	n, ok := numeric(v)
	if !ok || digits < -400 || digits > 400 {
		fail("round: %s with %d digits is not supported", typeName(v), digits)
	}
	method, _ := how.(text)
	switch method.s {
	case "ceil", "floor":
		return s.roundTo(v, int64(digits), method.s)
	case "common":
		if n.whole {
			return s.roundInt(n, digits)
		}
		return roundFloat(n.f, digits)
	}
	fail("round: the method is not supported")
	return nil
}

// roundTo is Jinja's way to round up or down.
func (s *state) roundTo(v any, digits int64, method string) any {
	unit := s.arithmetic("**", int64(10), digits)
	scaled := s.arithmetic("*", v, unit)
	if f, ok := scaled.(float64); ok && method == "ceil" {
		scaled = wholeOf(math.Ceil(f))
	} else if ok {
		scaled = wholeOf(math.Floor(f))
	}
	return s.arithmetic("/", scaled, unit)
}

// roundInt rounds to a multiple of a power of ten if digits is negative.
func (s *state) roundInt(n num, digits int) any {
	if digits >= 0 {
		return shrunk(n.large())
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-digits)), nil)
	q := nearest(n.large(), unit)
	return shrunk(q.Mul(q, unit))
}

// nearest is the int nearest to a quotient, or the even one of two.
func nearest(x, y *big.Int) *big.Int {
	q, r := new(big.Int).DivMod(x, y, new(big.Int))
	if c := new(big.Int).Lsh(r, 1).Cmp(y); c > 0 || c == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(1))
	}
	return q
}

func roundFloat(x float64, digits int) any {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return x
	}
	if digits >= 0 {
		r, err := strconv.ParseFloat(strconv.FormatFloat(x, 'f', digits, 64), 64)
		if err != nil {
			fail("round: %v", err)
		}
		return r
	}
	if -digits > 308 {
		return math.Copysign(0, x)
	}
	exact := new(big.Rat).SetFloat64(math.Abs(x))
	unit := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-digits)), nil))
	q := new(big.Rat).Quo(exact, unit)
	f, _ := new(big.Rat).Mul(new(big.Rat).SetInt(nearest(q.Num(), q.Denom())), unit).Float64()
	return math.Copysign(f, x)
}
