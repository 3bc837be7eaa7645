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
		body, frame := p.inner("endfilter")
		p.end("endfilter")
		return &filterStmt{f, body, frame}
	case "with":
		return p.withStmt()
	case "generation": // marks what an assistant has said, for training
		loops := p.loops
		p.loops = 0
		body, frame := p.inner("endgeneration")
		p.end("endgeneration")
		p.loops = loops
		return &blockStmt{body, frame}
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
func (p *parser) inner(until ...string) ([]stmt, *frame) {
	f := p.open()
	defer p.shut(f)
	return p.innerOf(until...), f
}

// innerOf is inner for a frame that is open.
func (p *parser) innerOf(until ...string) []stmt {
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

// target reads what is assigned to; fields says whether that may be a field of a
// namespace.
func (p *parser) target(fields bool) target {
	t := target{}
	for {
		if p.is(tagEnd, "%}") || p.is(operator, ")") {
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
		t := p.target(false)
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
	s.target = p.target(false)
	p.want(name, "in")
	s.items = p.tuple(p.or)
	if p.skip(name, "if") {
		s.test = p.open()
		p.takeAll(s.target)
		s.cond = p.expr()
		p.shut(s.test)
	}
	s.recursive = p.skip(name, "recursive")
	p.loops++
	s.frame = p.open()
	p.takeAll(s.target)
	p.frame.seen["loop"] = true
	s.body = p.innerOf("else", "endfor")
	p.shut(s.frame)
	p.loops--
	if p.tagged("else") {
		s.none, s.noneFrame = p.inner("endfor")
	}
	p.end("endfor")
	return s
}

func (p *parser) setStmt() stmt {
	s := &setStmt{line: p.at().line}
	s.target = p.target(true)
	if p.skip(operator, "=") {
		s.value = p.tuple(p.expr)
		p.setAll(s.target)
		p.want(tagEnd, "%}")
		return s
	}
	p.setAll(s.target)
	s.value = &capture{}
	if p.skip(operator, "|") {
		s.value = p.filterChain(s.value)
	}
	s.body, s.frame = p.inner("endset")
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
		p.frame.seen[m.params[n]] = true
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
	p.sets(word)
	f := p.open()
	m := p.parameters()
	m.name, m.frame = word, f
	p.macroBody(&m, "endmacro")
	p.shut(f)
	return &macroStmt{&m}
}

// macroBody reads the body of m, which break and continue do not leave.
func (p *parser) macroBody(m *macroDef, end string) {
	loops, uses := p.loops, p.uses
	p.loops, p.uses = 0, map[string]bool{}
	m.body, m.uses = p.innerOf(end), p.uses
	p.end(end)
	maps.Copy(uses, m.uses)
	p.loops, p.uses = loops, uses
}

func (p *parser) callStmt() stmt {
	m := macroDef{}
	f := p.open()
	if p.is(operator, "(") {
		m = p.parameters()
	}
	m.frame = f
	p.shut(f)
	c, ok := p.unary(false).(*call)
	if !ok {
		p.fail("a call expected")
	}
	p.within(f, func() { p.macroBody(&m, "endcall") })
	return &callStmt{c, &m}
}

func (p *parser) withStmt() stmt {
	s := &withStmt{}
	for n := 0; p.at().kind != tagEnd; n++ {
		if n > 0 {
			p.want(operator, ",")
		}
		s.targets = append(s.targets, p.target(false))
		p.want(operator, "=")
		s.values = append(s.values, p.expr())
	}
	s.frame = p.open()
	for _, t := range s.targets {
		p.takeAll(t)
	}
	s.body = p.innerOf("endwith")
	p.shut(s.frame)
	p.end("endwith")
	return s
}
