package grammar

// compiler turns a grammar that was read into rules.
type compiler struct {
	builder
	p     *gbnf
	byRef map[string]int32
}

func (p *gbnf) compile() (*Grammar, error) {
	c := &compiler{builder: newBuilder(), p: p, byRef: map[string]int32{}}
	c.byRef["root"] = c.rule("root")
	for _, name := range p.order {
		if name != "root" {
			c.byRef[name] = c.rule(name)
		}
	}
	for _, name := range p.order {
		alts, err := c.alternatives(p.rules[name])
		if err != nil {
			return nil, err
		}
		c.g.rules[c.byRef[name]].alts = alts
	}
	if err := c.g.check(); err != nil {
		return nil, err
	}
	return c.g, c.g.machine.init(c.g)
}

// alternatives returns those of an expression.
func (c *compiler) alternatives(e *expr) (alts [][]symbol, err error) {
	list := e.alt
	if list == nil {
		list = []*expr{e}
	}
	for _, x := range list {
		seq, err := c.sequence(nil, x)
		if err != nil {
			return nil, err
		}
		alts = append(alts, seq)
	}
	return alts, nil
}

// sequence appends the symbols of an expression.
func (c *compiler) sequence(seq []symbol, e *expr) ([]symbol, error) {
	if err := c.grow(1); err != nil {
		return nil, err
	}
	switch {
	case e.chars != nil:
		return c.plainText(seq, e.chars), nil
	case e.name != "":
		r, ok := c.byRef[e.name]
		if !ok {
			return nil, c.p.fail(e.at, "there is no rule %s", e.name)
		}
		return append(seq, symbol{rule: r}), nil
	case e.repeat != nil:
		return c.repetition(seq, e)
	case len(e.alt) == 1:
		return c.sequence(seq, e.alt[0])
	case e.alt != nil:
		r := c.rule("")
		alts, err := c.alternatives(e)
		c.g.rules[r].alts = alts
		return append(seq, symbol{rule: r}), err
	}
	for _, x := range e.seq {
		var err error
		if seq, err = c.sequence(seq, x); err != nil {
			return nil, err
		}
	}
	return seq, nil
}

func (c *compiler) repetition(seq []symbol, e *expr) ([]symbol, error) {
	one := c.rule("")
	alts, err := c.alternatives(e.repeat)
	if err != nil {
		return nil, err
	}
	c.g.rules[one].alts = alts
	return c.repeat(seq, one, e.min, e.most)
}
