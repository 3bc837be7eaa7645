package grammar

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestMatches has texts that grammars match, and others that they do not.
func TestMatches(t *testing.T) {
	for _, x := range []struct{ grammar, yes, no string }{
		{`root ::= "a"`, "a", "|b|aa|A"},
		{`root ::= "yes" | "no"`, "yes|no", "|ye|yesno|maybe"},
		{`root ::= [a-c]+ [^0-9x]`, "ab|cc-|aé|abz", "|a|a1|ax|é|dd"},
		{`root ::= "x"{3}`, "xxx", "|xx|xxxx"},
		{`root ::= "x"{2,}`, "xx|xxxxxxx", "|x"},
		{`root ::= "x"{1,3} "y"{0,2}`, "x|xxx|xyy", "|xxxx|xyyy"},
		{`root ::= ("a" | "b" "c")* "d"?`, "|a|bc|abcad|d", "b|cd|dd"},
		{`root ::= ("a"? "b"?)* "c"`, "c|ac|bbac", "|d|ca"},
		{`root ::= ((("a"*)*)+)?`, "|a|aaaa", "b"},
		{"root ::= item (\",\" item)*  # a list\nitem ::= [0-9]+\n\n# the end", "1|12,3", "|,|1,|1,,2"},
		{"root ::= \"a\" |\n  \"b\" (\n \"c\"\n | \"d\" )\n", "a|bc|bd", "b|c|ad"},
		{`root ::= "\x41\u00e9\U0001F415\n\t\r\\\"" [\]\[\\-] [a\-z]`, "Aé🐕\n\t\r\\\"]-|Aé🐕\n\t\r\\\"\\z", "Aé🐕\n\t\r\\\"xa|A"},
		{`root ::= .`, "a|é|🐕|\n", "|ab"},
		{`root ::= [日-語]{2} [🐀-🐕]`, "日本🐕|語語🐀", "日🐕|日本a"},
		{`root ::= "" | "a" root "b"`, "|ab|aabb|aaabbb", "a|b|abb|aab|ba"},
		{"root ::= value\nvalue ::= \"[\" (value (\",\" value)*)? \"]\" | [0-9]", "[]|[1,[2,[]],3]|7", "[|[1,]|[1 2]|]"},
		{"root ::= a-b_c9\na-b_c9 ::= [-a]", "-|a", "b"},
		{`root ::= [^a]*`, "|bcd|é\n", "a|ba"},
		{`root::="a"|"b"`, "a|b", "c"},
	} {
		g, err := Parse(x.grammar)
		if err != nil {
			t.Errorf("%s: %v", x.grammar, err)
			continue
		}
		for _, list := range []struct {
			texts string
			want  bool
		}{{x.yes, true}, {x.no, false}} {
			for _, text := range strings.Split(list.texts, "|") {
				if got, err := g.Matches(text); err != nil || got != list.want {
					t.Errorf("%s: %q: %v, want %v (%v)", x.grammar, text, got, list.want, err)
				}
			}
		}
	}
}

// TestRefused has grammars that are wrong, and what is said of them.
func TestRefused(t *testing.T) {
	for grammar, want := range map[string]string{
		"":                                   "no rule root",
		"a ::= \"x\"":                        "no rule root",
		"root ::= \"a":                       "line 1, column 10: this text has no end",
		"root ::= [a":                        "line 1, column 10: this class has no end",
		"root ::= (\"a\"":                    "want ), not the end of the grammar",
		"root ::= \"a\")":                    "line 1, column 13: want the end of the line, not ')'",
		"root ::= b":                         "line 1, column 10: there is no rule b",
		"root \"a\"":                         "want ::= behind the name root",
		"root ::= \"é\" ä":                   "line 1, column 14: want a text, a class, a rule or a group, not 'ä'",
		"root ::= \"a\"\nroot ::= \"b\"":     "line 2, column 1: the rule root was defined before",
		"root ::= [z-a]":                     "the range 'z'-'a' is in the wrong order",
		`root ::= "\q"`:                      `the escape \q is not known`,
		`root ::= "\x4"`:                     "want 2 hexadecimal digits",
		`root ::= "\uD800"`:                  "d800 is no character",
		`root ::= "\U00110000"`:              "110000 is no character",
		`root ::= "a"{3,1}`:                  "the second number is smaller",
		`root ::= "a"{-1}`:                   "want {m}, {m,} or {m,n}",
		`root ::= "a"{1`:                     "this { has no }",
		`root ::= "a"{99999}`:                "want at most 10000",
		`root ::= <think>`:                   "tokens ('<') are not supported",
		`root ::= !"a"`:                      "tokens ('!') are not supported",
		"root ::= root \"a\" | \"b\"":        "left recursion in the rule root",
		"root ::= a\na ::= b \"x\"\nb ::= a": "matches no text that ends",
		"root ::= a | \"x\"\na ::= \"y\"? a \"z\" | \"w\"":           "left recursion in the rule a",
		"root ::= a \"x\" | \"y\"\na ::= b | \"\"\nb ::= root \"z\"": "left recursion in the rule",
		"root ::= \"a\" root":                            "the rule root matches no text that ends",
		"root ::= []":                                    "line 1, column 10: no character is in this class",
		"root ::= \"\xff\"":                              "not UTF-8",
		"root ::= " + strings.Repeat("(", 300):           "more than 256 parentheses",
		"root ::= " + strings.Repeat(`"a"{0,9999} `, 30): "too large",
	} {
		_, err := Parse(grammar)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error %v, want %q", grammar, err, want)
		}
		var at *SyntaxError
		if errors.As(err, &at) && (at.Line < 1 || at.Column < 1) {
			t.Errorf("%q: at %d:%d", grammar, at.Line, at.Column)
		}
	}
}

// TestSequences compares ranges of bytes with the characters that they are for, all of them.
func TestSequences(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 30 {
		var spans []span
		for range 1 + r.IntN(4) {
			a := rune(r.IntN(utf8.MaxRune + 1))
			if r.IntN(2) == 0 {
				a = []rune{0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xd800, 0xe000, 0xffff, 0x10000}[r.IntN(10)]
			}
			spans = append(spans, span{a, min(a+rune(r.IntN(1<<r.IntN(21))), utf8.MaxRune)})
		}
		for _, s := range [][]span{spans, complement(spans)} {
			var list [][]byteSpan
			sequences(s, func(b []byteSpan) { list = append(list, b) })
			checkSequences(t, s, list)
		}
	}
}

func checkSequences(t *testing.T, spans []span, list [][]byteSpan) {
	t.Helper()
	var b [utf8.UTFMax]byte
	for c := rune(0); c <= utf8.MaxRune; c += 1 + c/3000 {
		if !utf8.ValidRune(c) {
			continue
		}
		want, got := false, 0
		for _, s := range spans {
			want = want || c >= s.first && c <= s.last
		}
		n := utf8.EncodeRune(b[:], c)
		for _, seq := range list {
			all := len(seq) == n
			for i := 0; all && i < n; i++ {
				all = b[i] >= seq[i].first && b[i] <= seq[i].last
			}
			if all {
				got++
			}
		}
		if want && got != 1 || !want && got != 0 {
			t.Fatalf("%U: %d sequences of %v for %v", c, got, list, spans)
		}
	}
}

// randomExpr writes a grammar's expression over a, b and é.
func randomExpr(r *rand.Rand, depth int) string {
	switch n := r.IntN(9); {
	case depth == 0 || n < 3:
		return []string{`"a"`, `"b"`, `[ab]`, `[^a]`, `"é"`, `""`, `.`, `"ab"`}[r.IntN(8)]
	case n < 5:
		return randomExpr(r, depth-1) + " " + randomExpr(r, depth-1)
	case n < 7:
		return "(" + randomExpr(r, depth-1) + " | " + randomExpr(r, depth-1) + ")"
	default:
		return "(" + randomExpr(r, depth-1) + ")" + []string{"*", "+", "?", "{2}", "{1,3}", "{2,}"}[r.IntN(6)]
	}
}

// ends returns where a text that matches e from i may end: the definition.
func ends(rules map[string]*expr, e *expr, text []rune, i int) map[int]bool {
	out := map[int]bool{}
	switch {
	case e.chars != nil:
		for _, s := range e.chars {
			if i < len(text) && text[i] >= s.first && text[i] <= s.last {
				out[i+1] = true
			}
		}
	case e.name != "":
		return ends(rules, rules[e.name], text, i)
	case e.alt != nil:
		for _, x := range e.alt {
			for k := range ends(rules, x, text, i) {
				out[k] = true
			}
		}
	case e.repeat != nil:
		now := map[int]bool{i: true}
		for n := 0; len(now) > 0 && (e.most < 0 && n < len(text)+e.min+1 || n <= e.most); n++ {
			next := map[int]bool{}
			for k := range now {
				if n >= e.min {
					out[k] = true
				}
				for l := range ends(rules, e.repeat, text, k) {
					next[l] = true
				}
			}
			now = next
		}
	default:
		now := map[int]bool{i: true}
		for _, x := range e.seq {
			next := map[int]bool{}
			for k := range now {
				for l := range ends(rules, x, text, k) {
					next[l] = true
				}
			}
			now = next
		}
		return now
	}
	return out
}

// TestRandomGrammars compares the automaton with the definition, and masks with what may be
// accepted token by token.
func TestRandomGrammars(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	rounds := 400
	if testing.Short() {
		rounds = 60
	}
	tokens := []string{"", "a", "b", "ab", "ba", "aa", "é", "\xc3", "\xa9", "bé", "\xa9a", "<end>", "abab", "日"}
	v := NewVocabulary(tokens)
	for range rounds {
		text := "root ::= " + randomExpr(r, 4)
		g, err := Parse(text)
		if err != nil {
			continue // [] and the like
		}
		p := &gbnf{text: text, rules: map[string]*expr{}, at: map[string]int{}}
		if err := p.rule(); err != nil {
			t.Fatal(err)
		}
		for range 30 {
			s := ""
			for range r.IntN(7) {
				s += []string{"a", "b", "é", "日"}[r.IntN(4)]
			}
			runes := []rune(s)
			want := ends(p.rules, p.rules["root"], runes, 0)[len(runes)]
			if got, err := g.Matches(s); err != nil || got != want {
				t.Fatalf("%s: %q: %v, want %v (%v)", text, s, got, want, err)
			}
		}
		checkMasks(t, r, text, g, v, tokens)
	}
}

func checkMasks(t *testing.T, r *rand.Rand, text string, g *Grammar, v *Vocabulary, tokens []string) {
	t.Helper()
	m, written := g.Matcher(v, []int32{11}), ""
	for range 12 {
		allowed := []uint64{^uint64(0)}
		if err := m.Allow(allowed); err != nil {
			t.Fatal(err)
		}
		var may []int32
		for id, b := range tokens {
			is := allowed[0]>>id&1 != 0
			want := b != "" && m.Clone().Accept(int32(id)) == nil
			if id == 11 {
				want, _ = g.Matches(written)
			}
			if is != want {
				t.Fatalf("%s: behind %q token %q: allowed %v, want %v", text, written, b, is, want)
			}
			if is && id != 11 {
				may = append(may, int32(id))
			}
		}
		if len(may) == 0 && !m.g.states[m.at].ends {
			t.Fatalf("%s: nothing may follow %q, which is no whole text", text, written)
		}
		if len(may) == 0 {
			return
		}
		id := may[r.IntN(len(may))]
		if err := m.Accept(id); err != nil {
			t.Fatal(err)
		}
		written += tokens[id]
	}
}

// TestTooManyStates has grammars whose states grow without end or very wide: they end with an
// error, soon.
func TestTooManyStates(t *testing.T) {
	wide := "root ::= (" + strings.Repeat(`"a"{1,100} | `, 99) + `"a")*`
	deep := "root ::= \"a\" root \"b\" | \"c\""
	for _, text := range []string{wide, deep} {
		g, err := Parse(text)
		for i := 0; err == nil && i < 6; i++ {
			_, err = g.Matches(strings.Repeat("a", 30_000*i))
		}
		if !errors.Is(err, ErrTooManyStates) && !errors.Is(err, errTooLarge) {
			t.Errorf("%.30s: %v", text, err)
		}
	}
}

// The work for one mask is limited, whatever the grammar.
func TestWorkIsLimited(t *testing.T) {
	words := make([]string, 0, 20_000)
	r := rand.New(rand.NewPCG(7, 8))
	for len(words) < cap(words) {
		b := make([]byte, 1+r.IntN(8))
		for i := range b {
			b[i] = "abcdefghijklmnopqrstuvwxyz "[r.IntN(27)]
		}
		words = append(words, string(b))
	}
	v := NewVocabulary(words)
	for _, text := range []string{
		`root ::= ([a-z ]?){4000} | [a-z ]* [aeiou] [a-z ]{0,30} "9"`, `root ::= ([a-z]{1,50}){1,50}`, `root ::= ([ -~]?){4000}`,
	} {
		g, err := Parse(text)
		if err != nil {
			continue
		}
		err = g.Matcher(v, nil).Allow(make([]uint64, (len(words)+63)/64))
		if err == nil && g.work < 0 || err != nil && !errors.Is(err, ErrTooManyStates) || g.work < -1 {
			t.Errorf("%s: %v, work left %d", text, err, g.work)
		}
	}
}

// Who has found no room among the states of others goes on with states of their own, and a long
// text of a simple grammar fits.
func TestFullGrammar(t *testing.T) {
	g, err := ParseSchema(JSONObject)
	if err != nil {
		t.Fatal(err)
	}
	v := NewVocabulary([]string{`{"a":`, `[`, `1`, `]`, `}`, `,`})
	slow := g.Matcher(v, nil)
	if err := slow.Accept(0); err != nil {
		t.Fatal(err)
	}
	greedy := g.Matcher(v, nil)
	for i := 0; i < 60_000 && err == nil; i++ {
		err = greedy.Accept(0)
	}
	if !g.Full() {
		t.Fatalf("the grammar is not full: %d states, %v", len(g.states), err)
	}
	if n := g.Bytes(); n < 100*int64(len(g.states)) {
		t.Errorf("%d states are said to take %d bytes", len(g.states), n)
	}
	for _, id := range []int32{1, 2, 5, 1, 2, 3, 3, 4} {
		allowed := []uint64{^uint64(0)}
		if err := slow.Allow(allowed); err != nil || allowed[0]>>id&1 == 0 {
			t.Fatalf("token %d: %v, allowed %b", id, err, allowed)
		}
		if err := slow.Accept(id); err != nil {
			t.Fatal(err)
		}
	}
	if s := &slow.g.states[slow.at]; !s.ends || len(s.tops) > 0 {
		t.Errorf("the object is complete: %+v", s)
	}
	long, err := Parse(`root ::= "\"" [^"]{0,9999} "\""`)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := long.Matches(`"` + strings.Repeat("aé", 4000) + `"`); !ok || err != nil {
		t.Errorf("8000 characters of 9999: %v, %v", ok, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`root ::= "a" | [b-z]+ ("x" root)? .{2,3}`, "abc")
	f.Add("root ::= a\na ::= \"\\u00e9\" # c\n", "é")
	f.Fuzz(func(t *testing.T, text, s string) {
		g, err := Parse(text)
		if err != nil {
			return
		}
		if len(s) > 1000 {
			s = s[:1000]
		}
		if ok, err := g.Matches(s); ok && err == nil && !utf8.ValidString(s) {
			t.Errorf("%q matches %q, which is not UTF-8", text, s)
		}
	})
}

func BenchmarkMask(b *testing.B) {
	g, err := Parse("root ::= \"\\\"\" [^\"\\\\\\x00-\\x1f]* \"\\\"\"")
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	words := make([]string, 50_000)
	for i := range words {
		words[i] = fmt.Sprintf(" %x", r.Uint32()>>r.IntN(28))
	}
	v := NewVocabulary(words)
	for b.Loop() {
		for i := range g.states {
			g.states[i].mask = nil
		}
		g.work = mostWork
		if _, err := g.mask(start, v); err != nil {
			b.Fatal(err)
		}
		at, _ := g.step(start, '"')
		if _, err := g.mask(at, v); err != nil {
			b.Fatal(err)
		}
	}
}
