package jinja

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// parser reads tokens. Its methods are Jinja's grammar, from what binds least.
type parser struct {
	*library
	tokens   []token
	i        int
	depth    int
	loops    int             // that are open, for break and continue
	uses     map[string]bool // the variables of the macro that is read
	fors     int             // loops that are open, those around a macro too
	branches int             // of if, that are open: what is not supported may stand in those that are not taken
	frame    *frame          // that is open
	frames   []*frame        // all
	unknown  error           // what is wrong if no branch begins, see expr
	soft     int             // of them, those where Jinja too takes filters that it does not know
}

// maxDepth bounds how deep blocks and expressions are nested: the parser and the
// evaluation call themselves for each level.
const maxDepth = 100

func (p *parser) at() token { return p.tokens[p.i] }

// peek returns the text of the token n further on, for errors.
func (p *parser) peek(n int) string {
	t := p.tokens[min(p.i+n, len(p.tokens)-1)]
	return strconv.Quote(t.s[:min(len(t.s), 40)])
}

func (p *parser) fail(format string, args ...any) {
	fail("line %d: "+format, append([]any{p.at().line}, args...)...)
}

// deeper counts a level of nesting until the function that it returns is called.
func (p *parser) deeper() func() {
	if p.depth++; p.depth > maxDepth {
		p.fail("it is nested deeper than %d", maxDepth)
	}
	return func() { p.depth-- }
}

// is reports whether the next token is the operator or the word s.
func (p *parser) is(k kind, s ...string) bool {
	return p.at().kind == k && slices.Contains(s, p.at().s)
}

// skip passes over the operator or word s, if it is next.
func (p *parser) skip(k kind, s string) bool {
	if !p.is(k, s) {
		return false
	}
	p.i++
	return true
}

func (p *parser) want(k kind, s string) {
	if !p.skip(k, s) {
		p.fail("%q expected, not %s", s, p.peek(0))
	}
}

func (p *parser) name() string {
	if p.at().kind != name {
		p.fail("a name expected, not %s", p.peek(0))
	}
	p.i++
	return p.tokens[p.i-1].s
}

// branch counts a branch until the function that it returns is called.
func (p *parser) branch() func() {
	p.branches++
	p.soft++
	return func() { p.branches, p.soft = p.branches-1, p.soft-1 }
}

// expr reads an expression with "if" and "else". What it begins with is in a branch too
// if there is an "if" behind it.
func (p *parser) expr() expr {
	defer p.deeper()()
	unknown := p.unknown
	p.unknown = nil
	x := p.or()
	if p.is(name, "if") {
		p.unknown = nil
		defer p.branch()()
	}
	defer func() {
		if unknown != nil {
			p.unknown = unknown
		}
	}()
	for p.skip(name, "if") {
		c := &condExpr{cond: p.or(), yes: x}
		if p.skip(name, "else") {
			c.no = p.expr()
		}
		x = c
	}
	return x
}

// chain reads operands that are joined by operators of one rank, from the left.
func (p *parser) chain(operand func() expr, k kind, ops ...string) expr {
	x := operand()
	for p.is(k, ops...) {
		op := p.at()
		p.i++
		b := &binary{op: op.s, x: x, y: operand(), line: op.line}
		b.negated = op.s == "**" && folded(b.x) && !folded(b.y)
		x = b
	}
	return x
}

func (p *parser) or() expr  { return p.chain(p.and, name, "or") }
func (p *parser) and() expr { return p.chain(p.not, name, "and") }

func (p *parser) not() expr {
	if p.skip(name, "not") {
		defer p.deeper()()
		return &notExpr{p.not()}
	}
	return p.compare()
}

func (p *parser) compare() expr {
	first := p.sum()
	c := &comparison{first: first, line: p.at().line}
	for {
		op := p.at().s
		switch {
		case p.is(operator, "==", "!=", "<", "<=", ">", ">=") || p.is(name, "in"):
			p.i++
		case p.is(name, "not") && p.tokens[p.i+1].s == "in":
			op = "not in"
			p.i += 2
		case len(c.ops) == 0:
			return first
		default:
			return c
		}
		c.ops, c.rest = append(c.ops, op), append(c.rest, p.sum())
	}
}

func (p *parser) sum() expr     { return p.chain(p.joined, operator, "+", "-") }
func (p *parser) joined() expr  { return p.chain(p.product, operator, "~") }
func (p *parser) product() expr { return p.chain(p.power, operator, "*", "/", "//", "%") }
func (p *parser) power() expr   { return p.chain(func() expr { return p.unary(true) }, operator, "**") }

func (p *parser) unary(filters bool) expr {
	defer p.deeper()()
	var x expr
	if p.is(operator, "-", "+") {
		op := p.at()
		p.i++
		x = &unary{op.s, p.unary(false), op.line}
	} else {
		x = p.postfix(p.primary())
	}
	if filters {
		x = p.filters(p.postfix(x))
	}
	return x
}

func (p *parser) primary() expr {
	t := p.at()
	p.i++
	switch {
	case t.kind == name:
		return p.nameOrConst(t)
	case t.kind == literal:
		parts := []string{t.s}
		for ; p.at().kind == literal; p.i++ {
			parts = append(parts, p.at().s)
		}
		return constant{plain(strings.Join(parts, ""))}
	case t.kind == number:
		return p.number(t.s)
	case t.kind == operator && t.s == "(":
		return p.parenthesis()
	case t.kind == operator && t.s == "[":
		return &listExpr{p.list("]")}
	case t.kind == operator && t.s == "{":
		return p.dict()
	}
	p.i--
	p.fail("unexpected %s", p.peek(0))
	return nil
}

func (p *parser) nameOrConst(t token) expr {
	switch t.s {
	case "true", "True":
		return constant{true}
	case "false", "False":
		return constant{false}
	case "none", "None":
		return constant{nil}
	}
	p.reads(t.s)
	return &variable{t.s}
}

// list reads expressions up to a closing bracket.
func (p *parser) list(end string) (items []expr) {
	for !p.skip(operator, end) {
		if len(items) > 0 {
			if p.want(operator, ","); p.skip(operator, end) {
				break
			}
		}
		items = append(items, p.expr())
	}
	return items
}

// parenthesis reads what an opening one begins: an expression or a tuple.
func (p *parser) parenthesis() expr {
	if p.skip(operator, ")") {
		return &tupleExpr{}
	}
	x := p.expr()
	if p.skip(operator, ")") {
		return x
	}
	p.want(operator, ",")
	return &tupleExpr{append([]expr{x}, p.list(")")...)}
}

// tuple reads one expression or, with commas, a tuple without parentheses.
func (p *parser) tuple(one func() expr) expr {
	items := []expr{one()}
	comma := false
	for p.skip(operator, ",") {
		comma = true
		if k := p.at(); k.kind == tagEnd || k.kind == outEnd || p.is(operator, ")") {
			break
		}
		items = append(items, one())
	}
	if !comma {
		return items[0]
	}
	return &tupleExpr{items}
}

func (p *parser) dict() expr {
	d := &dictExpr{}
	for !p.skip(operator, "}") {
		if len(d.keys) > 0 {
			if p.want(operator, ","); p.skip(operator, "}") {
				break
			}
		}
		d.keys = append(d.keys, p.expr())
		p.want(operator, ":")
		d.values = append(d.values, p.expr())
	}
	return d
}

// postfix reads attributes, indices and calls.
func (p *parser) postfix(x expr) expr {
	for {
		line := p.at().line
		switch {
		case p.skip(operator, "."):
			t := p.at()
			if p.i++; t.kind == number {
				x = &index{x, p.number(t.s), line, false}
			} else if t.kind == name {
				x = &attribute{x, t.s, line}
			} else {
				p.i--
				p.fail("a name expected, not %s", p.peek(0))
			}
		case p.skip(operator, "["):
			at := p.subscript()
			if p.is(operator, ",") {
				at = p.subscripts(at)
			}
			x = &index{x, at, line, folded(x) && folded(at)}
			p.want(operator, "]")
		case p.is(operator, "("):
			x = &call{x, p.arguments(), line}
		default:
			return x
		}
	}
}

// subscript reads an index or a slice.
func (p *parser) subscript() expr {
	part := func() expr {
		if p.is(operator, ":", "]", ",") {
			return nil
		}
		return p.expr()
	}
	first := part()
	if !p.is(operator, ":") {
		if first == nil {
			p.fail("an index expected")
		}
		return first
	}
	s := &sliceExpr{from: first}
	p.want(operator, ":")
	if s.to = part(); p.skip(operator, ":") {
		s.step = part()
	}
	return s
}

// subscripts reads the rest of an index of several parts, which is a tuple.
func (p *parser) subscripts(first expr) expr {
	items := []expr{first}
	for p.skip(operator, ",") && !p.is(operator, "]") {
		items = append(items, p.subscript())
	}
	return &tupleExpr{items}
}

// arguments reads those of a call, with their parentheses.
func (p *parser) arguments() (a arguments) {
	p.want(operator, "(")
	for n := 0; !p.skip(operator, ")"); n++ {
		if n > 0 {
			if p.want(operator, ","); p.skip(operator, ")") {
				break
			}
		}
		p.argument(&a)
	}
	return a
}

// argument reads one of a.
func (p *parser) argument(a *arguments) {
	switch {
	case a.stars != nil:
		p.fail("an argument follows ** ")
	case p.is(operator, "*") && a.star == nil:
		p.i++
		a.star = p.expr()
	case p.skip(operator, "**"):
		a.stars = p.expr()
	case p.at().kind == name && p.tokens[p.i+1].kind == operator && p.tokens[p.i+1].s == "=":
		if slices.Contains(a.names, p.at().s) {
			p.fail("the argument %s is given twice", p.at().s)
		}
		a.names = append(a.names, p.name())
		p.want(operator, "=")
		a.named = append(a.named, p.expr())
	default:
		if len(a.names) > 0 || a.star != nil {
			p.fail("an argument without a name follows one with a name")
		}
		a.list = append(a.list, p.expr())
	}
}

// filters reads filters, tests and calls of their results.
func (p *parser) filters(x expr) expr {
	for {
		switch {
		case p.skip(operator, "|"):
			x = p.filter(x)
		case p.skip(name, "is"):
			x = p.test(x)
		case p.is(operator, "("):
			x = &call{x, p.arguments(), p.at().line}
		default:
			return x
		}
	}
}

// filter reads the name of a filter and its arguments.
func (p *parser) filter(x expr) expr {
	f := &filterExpr{x: x, name: p.name(), line: p.at().line}
	p.lookUp("filter", f.name, p.library.filters[f.name] != nil, slices.Contains(otherFilters, f.name))
	if p.is(operator, "(") {
		f.args = p.arguments()
	}
	return f
}

// lookUp checks a filter or test, which is here, or only in Jinja, or not even there.
func (p *parser) lookUp(kind, word string, here, there bool) {
	if here || p.branches > 0 && (there || p.soft > 0) || p.unknown != nil {
		return
	}
	p.unknown = fmt.Errorf("line %d: the %s %q is not supported", p.tokens[p.i-1].line, kind, word)
}

// known fails if something was unknown.
func (p *parser) known() {
	if p.unknown != nil {
		panic(failure{p.unknown})
	}
}

func (p *parser) test(x expr) expr {
	negated := p.skip(name, "not")
	t := &testExpr{x: x, name: p.name(), line: p.at().line}
	p.lookUp("test", t.name, p.library.tests[t.name] != nil, t.name == "escaped")
	k := p.at()
	switch {
	case p.is(operator, "("):
		t.args = p.arguments()
	case p.is(name, "is"):
		p.fail("a test follows a test")
	case k.kind == name &&
		!p.is(name, "else", "or", "and"), k.kind == literal, k.kind == number, p.is(operator, "[", "{"):
		t.args.list = []expr{p.postfix(p.primary())}
	}
	if negated {
		return &notExpr{t}
	}
	return t
}

// otherFilters are those of Jinja that are not here.
var otherFilters = strings.Fields("e escape filesizeformat forceescape pprint random striptags truncate urlencode urlize wordwrap xmlattr")
