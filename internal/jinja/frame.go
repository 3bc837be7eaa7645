package jinja

// frame is a part of a template whose variables are its own: the body of a loop, a
// macro ... Jinja decides before it runs which frame a name belongs to. What is set in a
// frame before it is read there, and that no frame around it names, is undefined until
// then, whatever variables the template is given: hidden.
type frame struct {
	parent *frame
	seen   map[string]bool
	first  []string // the names that were set, outside of an if, before anything else
	hidden []string // of them, those that no frame around this one names
}

// open begins a frame, and shut ends it.
func (p *parser) open() *frame {
	f := &frame{parent: p.frame, seen: map[string]bool{}}
	p.frames = append(p.frames, f)
	p.frame = f
	return f
}

func (p *parser) shut(f *frame) { p.frame = f.parent }

// within reads something that belongs to the frame f.
func (p *parser) within(f *frame, read func()) {
	around := p.frame
	p.frame = f
	read()
	p.frame = around
}

// reads notes that the frame names a variable.
func (p *parser) reads(name string) {
	p.uses[name] = true
	p.frame.seen[name] = true
}

// sets notes that the frame gives a variable a value.
func (p *parser) sets(name string) {
	if !p.frame.seen[name] && p.soft == 0 {
		p.frame.first = append(p.frame.first, name)
	}
	p.frame.seen[name] = true
}

// setAll notes the names of a target.
func (p *parser) setAll(t target) {
	switch {
	case t.field != "":
		p.reads(t.name)
	case t.several:
		for _, t := range t.items {
			p.setAll(t)
		}
	default:
		p.sets(t.name)
	}
}

// takeAll notes the names of a target that the frame is given.
func (p *parser) takeAll(t target) {
	if t.several {
		for _, t := range t.items {
			p.takeAll(t)
		}
		return
	}
	p.frame.seen[t.name] = true
}

// hide decides for all frames, once they are read, what is hidden.
func (p *parser) hide() {
	for _, f := range p.frames {
		for _, name := range f.first {
			around := f.parent
			for around != nil && !around.seen[name] {
				around = around.parent
			}
			if around == nil {
				f.hidden = append(f.hidden, name)
			}
		}
	}
}

// inside returns a scope for the frame f.
func (sc *scope) inside(f *frame) *scope {
	inner := sc.inner()
	for _, name := range f.hidden {
		inner.set(name, &undefined{"'" + name + "'"})
	}
	return inner
}
