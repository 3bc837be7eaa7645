package dfa

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const testWork = 4_000_000

// TestPattern has patterns as JSON schema means them, with texts that they are found in, and
// others.
func TestPattern(t *testing.T) {
	for _, x := range []struct{ pattern, yes, no string }{
		{`foo`, "foo|a foo|foot", "|fo|Foo"},
		{`^foo$`, "foo", "foot|a foo|foo\n"},
		{`^[a-z]{2,3}$`, "ab|abc", "a|abcd|AB"},
		{`^\d+$`, "1|42", "|४|1a"},
		{`^\w$`, "a|_|9", "é|-"},
		{`^\s$`, " |\u00a0|\ufeff|\n|\u2028", "a|\u200b"},
		{`^\S$`, "a|\u200b|🐕", " |\u3000"},
		{`^[\s\d]+$`, "1 2", "a"},
		{`^[^\s\d]$`, "a|\u200b", "1| "},
		{`^.$`, "a|🐕", "\n|\u2028|ab"},
		{`^[^]$`, "\n|a", "ab"},
		{`a[]|b`, "b|ab", "a"},
		{`^\u0041\x42\u{1F415}\ud83d\udc15\cJ\0$`, "AB🐕🐕\n\x00", "AB"},
		{`^(?<year>\d{4})-(?:0[1-9]|1[0-2])$`, "2026-11|1999-01", "2026-13|26-11"},
		{`^a\/b\-c\.$`, "a/b-c.", "a/b-cd"},
		{`\bcat\b`, "cat|a cat.|cat-nap", "concat|cats"},
		{`\Bcat`, "concat", "cat|a cat"},
		{`^\p{Lu}\p{Letter}+$`, "Éa|Abc", "abc|A1"},
		{`^\p{Script=Greek}+$`, "αβ", "ab"},
		{`^[aA][\]\[&&~-]$`, "a]|A[|a&|A-|a~", "a|b]|aa"},
		{`^a{1}b{2,}}{$`, "abb}{|abbb}{", "ab}{"},
		{`^x{,2}$`, "x{,2}", "xx"},
		{`^(a|b)*?c$`, "c|abc", "ab"},
		{``, "|anything", ""},
		{`^$`, "", "a"},
		{`a|^b$|c`, "a|xax|b|c", "bb|d"},
		{`^[[:alpha:]]$`, ":]|a]", "b"},
		{`[\b]`, "\b", "b"},
		{`^[\d-]$`, "1|-", "a"},
		{`^[-\d]$`, "1|-", "a"},
		{`^[^-\d]$`, "a", "1|-"},
		{`^[\d\-x]$`, "1|-|x", "y"},
	} {
		d, err := Pattern(NewBudget(testWork), x.pattern)
		if err != nil {
			t.Errorf("%s: %v", x.pattern, err)
			continue
		}
		for _, text := range strings.Split(x.yes, "|") {
			if !d.Match(text) {
				t.Errorf("%s: not found in %q", x.pattern, text)
			}
		}
		for _, text := range strings.Split(x.no, "|") {
			if x.no != "" && d.Match(text) {
				t.Errorf("%s: found in %q", x.pattern, text)
			}
		}
		checkTrim(t, x.pattern, d)
	}
}

// checkTrim looks for states that lead nowhere, and edges that overlap.
func checkTrim(t *testing.T, name string, d *DFA) {
	t.Helper()
	if slices.Contains(d.live(), false) {
		t.Errorf("%s: a state leads nowhere", name)
	}
	for _, s := range d.States {
		for i, e := range s.Edges {
			if e.First > e.Last || i > 0 && e.First <= s.Edges[i-1].Last || e.First <= surrogateLast && e.Last >= surrogateFirst {
				t.Errorf("%s: edges %v", name, s.Edges)
			}
		}
	}
}

// TestPatternRefused has patterns that are not kept, and what is said of them.
func TestPatternRefused(t *testing.T) {
	for pattern, want := range map[string]string{
		`(?=a)b`: "look-ahead is not supported: (?=", `a(?!b)`: "look-ahead", `(?<=a)b`: "look-behind", `(?<!a)b`: "look-behind",
		`(a)\1`: "back references", `(?<n>a)\k<n>`: "back references", `(?i:a)`: "the group (?i: is not known",
		`\q`: `the escape \q is not known`, `\`: "a backslash at the end", `[a`: "a class has no end", `(a`: "missing closing )", `a)`: "unexpected )",
		`*a`: "missing argument to repetition", `a**`: "invalid nested repetition", `a++`: "nothing to repeat", `a{2}+`: "nothing to repeat",
		`[z-a]`: "invalid character class range", `\u12`: "want 4 hexadecimal digits", `\xg0`: "not the number", `\u{110000}`: "not the number",
		`\ud83d`: "half a character", `\p{Nope}`: "invalid character class range", `\pL`: "want \\p{NAME}", `\01`: "octal",
		`a{1001}`: "repeats more than 1000 times", `(a{500}){3}`: "repeats more than 1000 times", "a\xff": "not UTF-8", `\p{IsGreek=x}`: "is not known",
		`(.*a.{30}){3}`: "too many states", `^[a-c-\d]$`: "a dash beside", `[\s-z]`: "a dash beside", `\p{^L}`: "is not known",
		strings.Repeat("a", 10_001): "want at most 10000",
	} {
		if _, err := Pattern(NewBudget(testWork), pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", pattern, err, want)
		}
	}
}

// TestProduct compares combinations with what they are made of, on random words.
func TestProduct(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	patterns := []string{`a+b`, `^[ab]*$`, `^.{2,4}$`, `é|b$`, `^a`, `\bb`, `^(ab|é)*$`, `[^a]{2}`}
	for range 60 {
		var list []*DFA
		for range 1 + r.IntN(3) {
			d, err := Pattern(NewBudget(testWork), patterns[r.IntN(len(patterns))])
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, d)
		}
		and, err := And(NewBudget(testWork), list...)
		if err != nil {
			t.Fatal(err)
		}
		not, err := list[0].Not(NewBudget(testWork))
		if err != nil {
			t.Fatal(err)
		}
		checkTrim(t, "and", and)
		least, err := and.Minimize(NewBudget(testWork))
		if err != nil || len(least.States) > len(and.States) {
			t.Fatal(err, len(least.States), len(and.States))
		}
		checkTrim(t, "minimized", least)
		for range 60 {
			var b strings.Builder
			for range r.IntN(6) {
				b.WriteString([]string{"a", "b", "é", " "}[r.IntN(4)])
			}
			word, all := b.String(), true
			for _, d := range list {
				all = all && d.Match(word)
			}
			if and.Match(word) != all || least.Match(word) != all || not.Match(word) == list[0].Match(word) {
				t.Fatalf("%q: and %v, want %v; not %v", word, and.Match(word), all, not.Match(word))
			}
		}
	}
}

// TestWords has automata of words and of lengths.
func TestWords(t *testing.T) {
	words, err := Words([]string{"b", "ab", "ac", "b", ""})
	if err != nil || !words.Match("") || words.Match("a") {
		t.Errorf("%v, %v", words, err)
	}
	for _, x := range [][2]int{{0, -1}, {0, 0}, {2, 3}, {3, -1}, {3, 2}} {
		d, err := Length(x[0], x[1])
		if err != nil {
			t.Fatal(err)
		}
		for n := range 6 {
			if want := n >= x[0] && (x[1] < 0 || n <= x[1]); d.Match(strings.Repeat("é", n)) != want {
				t.Errorf("%v: %d characters: %v", x, n, !want)
			}
		}
	}
}

// Automata of patterns match what Go's regular expressions do.
func FuzzPattern(f *testing.F) {
	for _, p := range []string{`^[a-c]+(b|é)?$`, `\bfoo\b.*x{2,3}`, `(a|b)*?c|^$`, `[^a-z]\S\p{L}`, `a^b$|\B`} {
		f.Add(p, "foo abc é")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 60 || len(text) > 60 {
			return
		}
		d, err := Pattern(NewBudget(testWork), pattern)
		if err != nil {
			return
		}
		checkTrim(t, pattern, d)
		re, err := translate(pattern)
		if err != nil {
			t.Fatalf("%q: %v", pattern, err)
		}
		slow := regexp.MustCompile(re)
		if text = strings.ToValidUTF8(text, "?"); d.Match(text) != slow.MatchString(text) {
			t.Fatalf("%q in %q: %v, Go says %v", pattern, text, d.Match(text), slow.MatchString(text))
		}
	})
}
