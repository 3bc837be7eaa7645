package jinja

import (
	"slices"
	"strings"
)

// body reads text and tags up to a tag with one of the names in until, which is left
// to be read.
func (p *parser) body(until ...string) (list []stmt) {
	defer p.deeper()()
	for {
		t := p.at()
		switch t.kind {
		case text:
			p.i++
			list = append(list, &textStmt{t.s})
		case outBegin:
			p.i++
			list = append(list, &outputStmt{p.tuple(p.expr)})
			p.want(outEnd, "}}")
		case tagBegin:
			word := p.tokens[p.i+1]
			if word.kind == name && slices.Contains(until, word.s) {
				return list
			}
			if word.kind == name && (strings.HasPrefix(word.s, "end") || word.s == "else" || word.s == "elif") {
				return list
			}
			p.i++
			list = append(list, p.statement())
		default:
			return list
		}
	}
}

// end reads the tag that ends a block.
func (p *parser) end(word string) {
	if p.at().kind != tagBegin || p.tokens[p.i+1].s != word {
		p.fail("{%% %s %%} expected, not %s", word, p.peek(1))
	}
	p.i += 2
	p.want(tagEnd, "%}")
}

// tagged reports whether the next tag is one of that name, and passes over its beginning.
func (p *parser) tagged(word string) bool {
	if p.at().kind != tagBegin || p.tokens[p.i+1].kind != name || p.tokens[p.i+1].s != word {
		return false
	}
	p.i += 2
	return true
}

// statement reads a tag, whose beginning was read, and what belongs to it.
func (p *parser) statement() stmt {
	word := p.name()
	switch word {
	case "if":
		return p.ifStmt()
	case "for":
		return p.forStmt()
	case "set":
		return p.setStmt()
	case "macro":
		return p.macroStmt()
	case "call":
		return p.callStmt()
	case "filter":
		f := p.filterChain(&capture{})
		p.want(tagEnd, "%}")
		s := &filterStmt{f, p.body("endfilter")}
		p.end("endfilter")
		return s
	case "with":
		return p.withStmt()
	case "generation": // marks what an assistant has said, for training
		p.want(tagEnd, "%}")
		s := &blockStmt{p.body("endgeneration")}
		p.end("endgeneration")
		return s
	case "break", "continue":
		if p.want(tagEnd, "%}"); p.loops == 0 {
			p.fail("%s outside of a loop", word)
		}
		return &jumpStmt{word == "break"}
	}
	p.i--
	p.fail("the tag %q is not supported", word)
	return nil
}

func (p *parser) ifStmt() stmt {
	s := &ifStmt{cond: p.tuple(p.expr)}
	p.want(tagEnd, "%}")
	p.branches++
	defer func() { p.branches-- }()
	s.yes = p.body("elif", "else", "endif")
	switch {
	case p.tagged("elif"):
		defer p.deeper()()
		s.no = []stmt{p.ifStmt()}
		return s
	case p.tagged("else"):
		p.want(tagEnd, "%}")
		s.no = p.body("endif")
	}
	p.end("endif")
	return s
}

// target reads what is assigned to: a name, or several.
func (p *parser) target() target {
	t := target{names: []string{p.name()}}
	for p.skip(operator, ",") {
		t.several = true
		if p.at().kind != name || p.is(name, "in") {
			break
		}
		t.names = append(t.names, p.name())
	}
	return t
}

func (p *parser) forStmt() stmt {
	inside := p.skip(operator, "(")
	s := &forStmt{target: p.target(), line: p.at().line}
	if inside {
		p.want(operator, ")")
	}
	p.want(name, "in")
	s.items = p.tuple(p.or)
	if p.skip(name, "if") {
		s.cond = p.expr()
	}
	s.recursive = p.skip(name, "recursive")
	p.want(tagEnd, "%}")
	p.loops++
	s.body = p.body("else", "endfor")
	p.loops--
	if p.tagged("else") {
		p.want(tagEnd, "%}")
		s.none = p.body("endfor")
	}
	p.end("endfor")
	return s
}

func (p *parser) setStmt() stmt {
	s := &setStmt{line: p.at().line}
	if s.target.names = []string{p.name()}; p.skip(operator, ".") {
		s.field = p.name()
	} else {
		p.i--
		s.target = p.target()
	}
	if p.skip(operator, "=") {
		s.value = p.tuple(p.expr)
		p.want(tagEnd, "%}")
		return s
	}
	s.value = &capture{}
	if p.skip(operator, "|") {
		s.value = p.filterChain(s.value)
	}
	p.want(tagEnd, "%}")
	s.body = p.body("endset")
	p.end("endset")
	s.block = true
	return s
}

// filterChain reads filters with | between them.
func (p *parser) filterChain(x expr) expr {
	for x = p.filter(x); p.skip(operator, "|"); {
		x = p.filter(x)
	}
	return x
}

// parameters reads those of a macro, with their parentheses.
func (p *parser) parameters() (m macroDef) {
	p.want(operator, "(")
	for n := 0; !p.skip(operator, ")"); n++ {
		if n > 0 {
			if p.want(operator, ","); p.skip(operator, ")") {
				break
			}
		}
		m.params = append(m.params, p.name())
		var absent expr
		if p.skip(operator, "=") {
			absent = p.expr()
		} else if n > 0 && m.defaults[n-1] != nil {
			p.fail("a parameter without a default follows one with a default")
		}
		m.defaults = append(m.defaults, absent)
	}
	return m
}

func (p *parser) macroStmt() stmt {
	word := p.name()
	m := p.parameters()
	m.name = word
	p.want(tagEnd, "%}")
	p.macroBody(&m, "endmacro")
	return &macroStmt{&m}
}

// macroBody reads the body of m, which break and continue do not leave.
func (p *parser) macroBody(m *macroDef, end string) {
	loops, uses := p.loops, p.uses
	p.loops, p.uses = 0, map[string]bool{}
	m.body, m.uses = p.body(end), p.uses
	p.end(end)
	p.loops, p.uses = loops, uses
}

func (p *parser) callStmt() stmt {
	m := macroDef{}
	if p.is(operator, "(") {
		m = p.parameters()
	}
	m.name = "caller"
	c, ok := p.unary(false).(*call)
	if !ok {
		p.fail("a call expected")
	}
	p.want(tagEnd, "%}")
	p.macroBody(&m, "endcall")
	return &callStmt{c, &m}
}

func (p *parser) withStmt() stmt {
	s := &withStmt{}
	for n := 0; p.at().kind != tagEnd; n++ {
		if n > 0 {
			p.want(operator, ",")
		}
		s.names = append(s.names, p.name())
		p.want(operator, "=")
		s.values = append(s.values, p.expr())
	}
	p.want(tagEnd, "%}")
	s.body = p.body("endwith")
	p.end("endwith")
	return s
}
