package jinja

import (
	"maps"
	"slices"
	"strings"
)

// body reads text and tags up to a tag with one of the names in until, which is left
// to be read.
func (p *parser) body(until ...string) (list []stmt) {
	defer p.deeper()()
	for {
		p.known()
		t := p.at()
		switch t.kind {
		case data:
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
		s := &filterStmt{f, p.inner("endfilter")}
		p.end("endfilter")
		return s
	case "with":
		return p.withStmt()
	case "generation": // marks what an assistant has said, for training
		loops := p.loops
		p.loops = 0
		s := &blockStmt{p.inner("endgeneration")}
		p.end("endgeneration")
		p.loops = loops
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

// inner reads the end of a tag and the body behind it, which has a scope of its own:
// Jinja refuses filters there that it does not know, also within an if around it.
func (p *parser) inner(until ...string) []stmt {
	soft := p.soft
	p.soft = 0
	p.close()
	list := p.body(until...)
	p.soft = soft
	return list
}

// close reads the end of a tag that has a body.
func (p *parser) close() {
	p.skip(operator, ":")
	p.want(tagEnd, "%}")
}

func (p *parser) ifStmt() stmt {
	defer p.branch()()
	s := &ifStmt{cond: p.tuple(p.or)}
	p.close()
	s.yes = p.body("elif", "else", "endif")
	switch {
	case p.tagged("elif"):
		defer p.deeper()()
		s.no = []stmt{p.ifStmt()}
		return s
	case p.tagged("else"):
		p.close()
		s.no = p.body("endif")
	}
	p.end("endif")
	return s
}

// target reads what is assigned to, up to a word that ends it; fields says whether that
// may be a field of a namespace.
func (p *parser) target(fields bool, end string) target {
	t := target{}
	for {
		if p.is(tagEnd, "%}") || p.is(operator, ")") || end != "" && p.is(name, end) {
			break
		}
		t.items = append(t.items, p.target1(fields))
		if !p.skip(operator, ",") {
			break
		}
		t.several = true
	}
	if !t.several && len(t.items) == 1 {
		return t.items[0]
	}
	if !t.several {
		p.fail("a name expected, not %s", p.peek(0))
	}
	return t
}

func (p *parser) target1(fields bool) target {
	if p.skip(operator, "(") {
		defer p.deeper()()
		if p.skip(operator, ")") {
			return target{several: true}
		}
		t := p.target(false, "")
		p.want(operator, ")")
		return t
	}
	t := target{name: p.assigned()}
	if fields && p.skip(operator, ".") {
		t.field = p.name()
	}
	return t
}

// assigned reads a name that may be given a value.
func (p *parser) assigned() string {
	s := p.name()
	if slices.Contains([]string{"true", "false", "none", "True", "False", "None"}, s) {
		p.fail("%s cannot be set", s)
	}
	if s == "loop" && p.fors > 0 {
		p.fail("loop cannot be set within a loop")
	}
	return s
}

func (p *parser) forStmt() stmt {
	p.fors++
	defer func() { p.fors-- }()
	s := &forStmt{line: p.at().line}
	s.target = p.target(false, "in")
	p.want(name, "in")
	s.items = p.tuple(p.or, "recursive")
	if p.skip(name, "if") {
		s.cond = p.expr()
	}
	s.recursive = p.skip(name, "recursive")
	p.loops++
	s.body = p.inner("else", "endfor")
	p.loops--
	if p.tagged("else") {
		s.none = p.inner("endfor")
	}
	p.end("endfor")
	return s
}

func (p *parser) setStmt() stmt {
	s := &setStmt{line: p.at().line}
	s.target = p.target(true, "")
	if p.skip(operator, "=") {
		s.value = p.tuple(p.expr)
		p.want(tagEnd, "%}")
		return s
	}
	s.value = &capture{}
	if p.skip(operator, "|") {
		s.value = p.filterChain(s.value)
	}
	s.body = p.inner("endset")
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
		m.params = append(m.params, p.param())
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

// param reads the name of a parameter.
func (p *parser) param() string {
	fors := p.fors
	p.fors = 0
	s := p.assigned()
	p.fors = fors
	return s
}

func (p *parser) macroStmt() stmt {
	word := p.param()
	m := p.parameters()
	m.name = word
	p.macroBody(&m, "endmacro")
	return &macroStmt{&m}
}

// macroBody reads the body of m, which break and continue do not leave.
func (p *parser) macroBody(m *macroDef, end string) {
	loops, uses := p.loops, p.uses
	p.loops, p.uses = 0, map[string]bool{}
	m.body, m.uses = p.inner(end), p.uses
	p.end(end)
	maps.Copy(uses, m.uses)
	p.loops, p.uses = loops, uses
}

func (p *parser) callStmt() stmt {
	m := macroDef{}
	if p.is(operator, "(") {
		m = p.parameters()
	}
	c, ok := p.unary(false).(*call)
	if !ok {
		p.fail("a call expected")
	}
	p.macroBody(&m, "endcall")
	return &callStmt{c, &m}
}

func (p *parser) withStmt() stmt {
	s := &withStmt{}
	for n := 0; p.at().kind != tagEnd; n++ {
		if n > 0 {
			p.want(operator, ",")
		}
		s.targets = append(s.targets, p.target(false, ""))
		p.want(operator, "=")
		s.values = append(s.values, p.expr())
	}
	s.body = p.inner("endwith")
	p.end("endwith")
	return s
}
