package main

import (
	_ "embed"
	"math/rand/v2"
	"strings"
)

// generator makes templates of the grammar in grammar.txt: a rule has a letter and, a
// line each, what it may stand for. Those of the letter with a dot are simple: they
// are taken where the depth is used up. $A is what rule A makes, one level deeper;
// {a¦b} in French quotes is one of several.
type generator struct {
	*rand.Rand
	rules map[string][]string
}

//go:embed grammar.txt
var grammar string

func newGenerator(seed uint64) *generator {
	g := &generator{rand.New(rand.NewPCG(seed, 15)), map[string][]string{}}
	name := ""
	for line := range strings.Lines(grammar) {
		line = strings.TrimSuffix(line, "\n")
		if head, ok := strings.CutPrefix(line, "=== "); ok {
			name = head
		} else if line != "" {
			g.rules[name] = append(g.rules[name], line)
		}
	}
	return g
}

func (g *generator) template() string {
	if g.IntN(100) < 45 {
		return "{{ " + g.rule("X", 1+g.IntN(3)) + " }}"
	}
	var b strings.Builder
	for range 1 + g.IntN(3) {
		b.WriteString(g.rule("T", 1+g.IntN(2)))
	}
	return b.String()
}

// rule returns what a rule makes at a depth.
func (g *generator) rule(name string, depth int) string {
	list := g.rules[name]
	if simple := g.rules[name+"."]; len(simple) > 0 && (depth <= 0 || len(list) == 0 || g.IntN(4) == 0) {
		list = simple
	}
	return g.expand(list[g.IntN(len(list))], depth)
}

// expand replaces choices and rules in s.
func (g *generator) expand(s string, depth int) string {
	var b strings.Builder
	for s != "" {
		i := strings.IndexAny(s, "$«")
		if i < 0 {
			break
		}
		b.WriteString(s[:i])
		if s[i] == '$' {
			b.WriteString(g.rule(s[i+1:i+2], depth-1))
			s = s[i+2:]
			continue
		}
		end := closing(s[i:])
		options := choices(s[i+len("«") : i+end])
		b.WriteString(g.expand(options[g.IntN(len(options))], depth))
		s = s[i+end+len("»"):]
	}
	return unescape.Replace(b.String()) + unescape.Replace(s)
}

// unescape replaces what a line of the grammar cannot hold.
var unescape = strings.NewReplacer("␤", "\n", "␉", "\t", "␠", " ")

// closing returns where the quote that s begins with is closed.
func closing(s string) int {
	depth := 0
	for i, r := range s {
		switch r {
		case '«':
			depth++
		case '»':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	panic("grammar: " + s)
}

// choices cuts s at the bars that are not within quotes.
func choices(s string) (list []string) {
	depth, begin := 0, 0
	for i, r := range s {
		switch r {
		case '«':
			depth++
		case '»':
			depth--
		case '¦':
			if depth == 0 {
				list, begin = append(list, s[begin:i]), i+len("¦")
			}
		}
	}
	return append(list, s[begin:])
}
