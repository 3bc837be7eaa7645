package jinja

import (
	"math"
	"math/big"
	"strconv"
)

// num is a number: an int, which may be larger than 64 bits, or a float.
type num struct {
	i     int64
	big   *big.Int // of a larger int, in the place of i
	f     float64
	whole bool
}

// numeric returns the number that a value is. A bool is one, as in Python.
func numeric(v any) (n num, ok bool) {
	switch x := v.(type) {
	case bool:
		return num{i: asInt(x), whole: true}, true
	case int64:
		return num{i: x, whole: true}, true
	case *big.Int:
		return num{big: x, whole: true}, true
	case float64:
		return num{f: x}, true
	}
	return num{}, false
}

// large returns an int as a big one.
func (n num) large() *big.Int {
	if n.big != nil {
		return n.big
	}
	return big.NewInt(n.i)
}

// float returns the nearest float, and fails where there is none.
func (n num) float() float64 {
	switch {
	case !n.whole:
		return n.f
	case n.big == nil:
		return float64(n.i)
	}
	f, _ := new(big.Float).SetInt(n.big).Float64()
	if math.IsInf(f, 0) {
		fail("the int is too large for a float")
	}
	return f
}

// sign is -1, 0 or 1.
func (n num) sign() int {
	switch {
	case n.whole:
		return n.large().Sign()
	case n.f > 0:
		return 1
	case n.f < 0:
		return -1
	}
	return 0
}

// cmp returns which of two numbers is larger, exactly, and whether one is none.
func (n num) cmp(m num) (c int, nan bool) {
	switch {
	case n.whole && m.whole:
		if n.big == nil && m.big == nil {
			return compareInts(n.i, m.i), false
		}
		return n.large().Cmp(m.large()), false
	case n.whole:
		c, nan = m.cmp(n)
		return -c, nan
	case !m.whole:
		return order3(n.f < m.f, n.f > m.f), n.f != n.f || m.f != m.f
	case n.f != n.f:
		return 0, true
	case math.IsInf(n.f, 0):
		return n.sign(), false
	}
	return big.NewFloat(n.f).Cmp(new(big.Float).SetInt(m.large())), false
}

func compareInts(i, j int64) int { return order3(i < j, i > j) }

func order3(less, more bool) int {
	switch {
	case less:
		return -1
	case more:
		return 1
	}
	return 0
}

// maxBits bounds large ints: each operation with them is cheap.
const maxBits = 1 << 16

// shrunk returns the value for an int.
func shrunk(x *big.Int) any {
	if x.IsInt64() {
		return x.Int64()
	}
	if x.BitLen() > maxBits {
		fail("integers of more than %d bits are not supported", maxBits)
	}
	return x
}

// wholeOf returns the int that a float is without its fraction.
func wholeOf(f float64) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		fail("%s is no int", floatText(f))
	}
	i, _ := big.NewFloat(math.Trunc(f)).Int(nil)
	return shrunk(i)
}

// maxDigits is how many of an int Python writes and reads.
const maxDigits = 4300

// intText writes an int.
func intText(v any) string {
	n, _ := numeric(v)
	if n.big == nil {
		return strconv.FormatInt(n.i, 10)
	}
	t := n.big.String()
	if len(t) > maxDigits+1 || len(t) > maxDigits && t[0] != '-' {
		fail("an int has more than %d digits", maxDigits)
	}
	return t
}

// arithmetic returns what Python makes of two numbers.
func (s *state) arithmetic(op string, a, b any) any {
	x, okA := numeric(a)
	y, okB := numeric(b)
	switch {
	case !okA || !okB:
		fail("%s %s %s is not possible", typeName(a), op, typeName(b))
	case (op == "/" || op == "//" || op == "%") && y.sign() == 0 && !math.IsNaN(y.f):
		fail("division by zero")
	case x.whole && y.whole && op == "/":
		return ratio(x, y)
	case x.whole && y.whole && !(op == "**" && y.sign() < 0):
		return s.whole(op, x, y)
	}
	if op == "**" {
		s.spend(1 << 7)
	}
	return float(op, x.float(), y.float())
}

// ratio is the quotient of ints, rounded once.
func ratio(x, y num) any {
	const exact = 1 << 53
	if x.big == nil && y.big == nil && max(x.i, -x.i) <= exact && max(y.i, -y.i) <= exact && x.i != math.MinInt64 &&
		y.i != math.MinInt64 {
		return float64(x.i) / float64(y.i)
	}
	f, _ := new(big.Rat).SetFrac(x.large(), y.large()).Float64()
	if math.IsInf(f, 0) {
		fail("the quotient is too large for a float")
	}
	return f
}

func float(op string, x, y float64) any {
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "/":
		return x / y
	case "//":
		div, _ := divMod(x, y)
		return div
	case "%":
		_, mod := divMod(x, y)
		return mod
	}
	return power(x, y)
}

// divMod is Python's float_divmod.
func divMod(x, y float64) (div, mod float64) {
	mod = math.Mod(x, y)
	div = (x - mod) / y
	if mod == 0 {
		mod = math.Copysign(0, y)
	} else if (y < 0) != (mod < 0) {
		mod += y
		div--
	}
	if div == 0 {
		return math.Copysign(0, x/y), mod
	}
	floor := math.Floor(div)
	if div-floor > 0.5 {
		floor++
	}
	return floor, mod
}

func power(x, y float64) any {
	z := math.Pow(x, y)
	switch {
	case x == 0 && y < 0:
		fail("0.0 to a negative power")
	case x < 0 && !math.IsInf(x, 0) && y != math.Floor(y):
		fail("the power of %s is not supported: it is a complex number", floatText(x))
	case math.IsInf(z, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0):
		fail("the power is too large for a float")
	case z == 0 || math.IsInf(z, 0) || math.IsNaN(z) || math.Abs(x) == 1:
		return z
	}
	return math.Copysign(nearestPower(math.Abs(x), y), z)
}

// whole is arithmetic of ints.
func (s *state) whole(op string, x, y num) any {
	if x.big == nil && y.big == nil {
		if v, ok := small(op, x.i, y.i); ok {
			return v
		}
	}
	a, b, z := x.large(), y.large(), new(big.Int)
	s.spend(1 + (a.BitLen()+b.BitLen())>>9)
	switch op {
	case "+":
		z.Add(a, b)
	case "-":
		z.Sub(a, b)
	case "*":
		z.Mul(a, b)
	case "//", "%":
		m := new(big.Int)
		z.QuoRem(a, b, m)
		if m.Sign() != 0 && m.Sign() != b.Sign() {
			z.Sub(z, big.NewInt(1))
			m.Add(m, b)
		}
		if op == "%" {
			z = m
		}
	case "**":
		z = s.bigPower(a, b)
	}
	s.made(z.BitLen() / 8)
	return shrunk(z)
}

// bigPower bounds the size of the result before it is computed.
func (s *state) bigPower(a, b *big.Int) *big.Int {
	if a.BitLen() <= 1 { // -1, 0, 1
		return unitPower(a, b)
	}
	if b.BitLen() > 32 || int64(a.BitLen()-1)*b.Int64() > maxBits {
		fail("integers of more than %d bits are not supported", maxBits)
	}
	s.spend(1 << 8)
	return new(big.Int).Exp(a, b, nil)
}

// unitPower is the power of -1, 0 or 1.
func unitPower(a, b *big.Int) *big.Int {
	switch {
	case b.Sign() == 0:
		return big.NewInt(1)
	case a.Sign() < 0 && b.Bit(0) == 0:
		return big.NewInt(1)
	}
	return a
}

// small is whole where it fits 64 bits.
func small(op string, i, j int64) (k any, ok bool) {
	const half = 1 << 31
	near := i >= -half && i < half && j >= -half && j < half
	switch op {
	case "+":
		z := i + j
		return z, (z > i) == (j > 0)
	case "-":
		z := i - j
		return z, (z < i) == (j > 0)
	case "*":
		return i * j, near
	case "//", "%":
		if !near {
			return nil, false
		}
		div, mod := i/j, i%j
		if mod != 0 && (mod < 0) != (j < 0) {
			div, mod = div-1, mod+j
		}
		if op == "%" {
			return mod, true
		}
		return div, true
	}
	return nil, false
}

// floatText writes a float as Python does: the shortest digits that are that number.
func floatText(x float64) string {
	switch {
	case math.IsInf(x, 0):
		return map[bool]string{true: "inf", false: "-inf"}[x > 0]
	case math.IsNaN(x):
		return "nan"
	}
	if a := math.Abs(x); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(x, 'e', -1, 64)
	}
	t := strconv.FormatFloat(x, 'f', -1, 64)
	if x == math.Trunc(x) {
		t += ".0"
	}
	return t
}

// sized is an int as the machine's, for lengths and places; what is beyond is cut off.
func sized(v any, what string) int {
	n, ok := numeric(v)
	if !ok || !n.whole {
		fail("%s is %s, not an int", what, typeName(v))
	}
	const most = math.MaxInt32
	if n.big != nil {
		return n.sign() * most
	}
	return int(max(-most, min(most, n.i)))
}
