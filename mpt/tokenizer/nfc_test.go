package tokenizer

import (
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// Where runs are short, x/text is right.
func TestComposeEqualsText(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 5000 {
		s := randomText(r, r.IntN(12))
		if got, want := compose(s), norm.NFC.String(s); got != want {
			t.Fatalf("compose(%+q) = %+q, want %+q", s, got, want)
		}
		if got, want := nfc(s), norm.NFC.String(s); got != want {
			t.Fatalf("nfc(%+q) = %+q, want %+q", s, got, want)
		}
	}
	for r := rune(0xC0); r < 0x30000; r++ {
		if s := string(r) + "\u0301"; compose(s) != norm.NFC.String(s) {
			t.Fatalf("compose(%+q) = %+q, want %+q", s, compose(s), norm.NFC.String(s))
		}
	}
}

// Long runs of combining characters are sorted and joined like short ones, and
// nothing is put in between.
func TestLongRuns(t *testing.T) {
	many := func(s string, n int) string { return strings.Repeat(s, n) }
	for in, want := range map[string]string{
		"xe" + many("\u0301", 60) + "y":              "xé" + many("\u0301", 59) + "y",
		"c" + many("\u0301\u0327", 40):               "ḉ" + many("\u0327", 39) + many("\u0301", 39),
		many("\u0301", 40) + "e\u0301":               many("\u0301", 40) + "é",
		"e\u0301 a" + many("\u0323", 50) + "\u0302b": "é ậ" + many("\u0323", 49) + "b",
		"\uac00" + many("\u0301", 40) + "\u11a8":     "\uac00" + many("\u0301", 40) + "\u11a8",
		"\u1100\u1161\u11a8" + many("\u0316", 40):    "\uac01" + many("\u0316", 40),
		many("e"+many("\u0301", 20), 3):              many("é"+many("\u0301", 19), 3),
	} {
		if got := nfc(in); got != want {
			t.Errorf("%+q: %+q, want %+q", in, got, want)
		}
	}
}

// Normal form is stable, whatever the length of runs.
func TestNormalFormIsStable(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	marks := []rune("\u0301\u0327\u0316\u0338\u0344\u093c\u0300\u0301ae ")
	for range 500 {
		var b strings.Builder
		for range r.IntN(200) {
			b.WriteRune(marks[r.IntN(len(marks))])
		}
		once := nfc(b.String())
		if twice := nfc(once); twice != once {
			t.Fatalf("%+q: %+q, then %+q", b.String(), once, twice)
		}
		if strings.ContainsRune(once, 0x34F) {
			t.Fatalf("%+q: %+q has a joiner", b.String(), once)
		}
	}
}
