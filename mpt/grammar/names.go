package grammar

import (
	"bytes"
	"slices"
)

// jsonText is where in a JSON text something stands, as far as names are concerned: which names
// the objects have that are not closed yet.
type jsonText struct {
	open    []container // the innermost last
	names   []section   // of all of open, in their order
	text    []byte      // of the names
	begun   int         // where in text the name begins that is read
	inName  bool
	inText  bool // in a string that is no name
	escaped bool // behind a backslash
	wants   bool // a name comes next, or the object ends
}

// container is an object or an array.
type container struct {
	object bool
	first  int // of its names
}

type section struct{ from, to int }

// copyFrom makes j the same as another, in memory of its own, but for what lies outside of the
// innermost depth objects and arrays.
func (j *jsonText) copyFrom(o *jsonText, depth int) {
	open := o.open[max(len(o.open)-depth, 0):]
	names, text := o.names, o.text
	if len(open) > 0 {
		names = names[open[0].first:]
	}
	before := len(text)
	if len(names) > 0 {
		before = names[0].from
	} else if o.inName {
		before = o.begun
	}
	to := jsonText{append(j.open[:0], open...), append(j.names[:0], names...), append(j.text[:0], text[before:]...),
		o.begun - before, o.inName, o.inText, o.escaped, o.wants}
	for i := range to.open {
		to.open[i].first -= len(o.names) - len(names)
	}
	for i := range to.names {
		to.names[i].from -= before
		to.names[i].to -= before
	}
	*j = to
}

// read goes on behind some bytes, and reports whether an object has a name twice now.
func (j *jsonText) read(token string) (twice bool) {
	for i := range len(token) {
		b := token[i]
		switch {
		case j.inName || j.inText:
			twice = j.character(b) || twice
		case b == '"':
			j.inName, j.inText, j.begun = j.wants, !j.wants, len(j.text)
			j.wants = false
		case b == '{' || b == '[':
			j.open = append(j.open, container{b == '{', len(j.names)})
			j.wants = b == '{'
		case b == '}' || b == ']':
			j.close()
		case b == ',':
			j.wants = len(j.open) > 0 && j.open[len(j.open)-1].object
		}
	}
	return twice
}

// character reads a byte of a string.
func (j *jsonText) character(b byte) (twice bool) {
	switch {
	case j.escaped:
		j.escaped = false
	case b == '\\':
		j.escaped = true
	case b == '"' && j.inText:
		j.inText = false
		return false
	case b == '"':
		j.inName = false
		twice = j.has(j.text[j.begun:])
		j.names = append(j.names, section{j.begun, len(j.text)})
		return twice
	}
	if j.inName {
		j.text = append(j.text, b)
	}
	return false
}

// close ends an object or an array.
func (j *jsonText) close() {
	j.wants = false
	if len(j.open) == 0 {
		return
	}
	first := j.open[len(j.open)-1].first
	if first < len(j.names) {
		j.text = j.text[:j.names[first].from]
	}
	j.names, j.open = j.names[:first], j.open[:len(j.open)-1]
}

// own returns the names of the innermost object.
func (j *jsonText) own() []section {
	if len(j.open) == 0 {
		return nil
	}
	return j.names[j.open[len(j.open)-1].first:]
}

// has reports whether the innermost object has a name.
func (j *jsonText) has(name []byte) bool {
	return slices.ContainsFunc(j.own(), func(s section) bool { return bytes.Equal(j.text[s.from:s.to], name) })
}

// doubles clears the bits of the tokens that give an object a name twice, or leave it no name
// to go on with.
func (m *Matcher) doubles(allowed []uint64) error {
	if !m.g.once {
		return nil
	}
	list := m.v.quotes[2]
	switch {
	case m.g.fewNames:
		list = m.v.commas
	case m.json.inName:
		list = m.v.quotes[1]
	}
	for _, id := range list {
		if allowed[id/64]>>(id%64)&1 != 0 {
			ok, err := m.fits(id)
			if err != nil {
				return err
			}
			if !ok {
				allowed[id/64] &^= 1 << (id % 64)
			}
		}
	}
	if m.g.fewNames && m.json.inName {
		return m.prefixes(allowed)
	}
	return nil
}

// fits reports whether a token may follow as far as names are concerned.
func (m *Matcher) fits(id int32) (bool, error) {
	token := m.v.bytes[id]
	if n := m.v.count(id); !m.g.fewNames && n < 3 { // all that can matter is a name that ends
		if m.json.inName {
			return !m.endsTwice(token), nil
		} else if n < 2 {
			return true, nil
		}
	}
	m.next.copyFrom(&m.json, 1+len(token)) // it closes at most so many
	if m.next.read(token) {
		return false, nil
	}
	if !m.g.fewNames || !m.next.inName && !m.next.wants {
		return true, nil
	}
	return m.fresh(token)
}

// endsTwice reports whether a token ends the name that is read, and the object has it already.
func (m *Matcher) endsTwice(token string) bool {
	escaped := m.json.escaped
	for i := range len(token) {
		switch {
		case escaped:
			escaped = false
		case token[i] == '\\':
			escaped = true
		case token[i] == '"':
			begun := m.json.text[m.json.begun:]
			return slices.ContainsFunc(m.json.own(), func(s section) bool {
				name := m.json.text[s.from:s.to]
				return len(name) == len(begun)+i && bytes.HasPrefix(name, begun) &&
					string(name[len(begun):]) == token[:i]
			})
		}
	}
	return false
}

// prefixes clears the bits of tokens without a quote that go on with a name that is there
// already, where no other can come of it.
func (m *Matcher) prefixes(allowed []uint64) error {
	begun := m.json.text[m.json.begun:]
	for _, s := range m.json.own() {
		name := m.json.text[s.from:s.to]
		if !bytes.HasPrefix(name, begun) {
			continue
		}
		for _, t := range []*tree{&m.v.ordinary, &m.v.special} {
			if err := m.along(t, name[len(begun):], allowed); err != nil {
				return err
			}
		}
	}
	return nil
}

// along clears the bits of the tokens that some bytes begin with, if they do not fit.
func (m *Matcher) along(t *tree, rest []byte, allowed []uint64) error {
	at := int32(0)
	for _, b := range rest {
		if at = t.child(at, b); at < 0 {
			return nil
		}
		n := t.nodes[at]
		for _, id := range t.tokens[n.token : n.token+n.more] {
			if allowed[id/64]>>(id%64)&1 == 0 {
				continue
			}
			if ok, err := m.fits(id); err != nil {
				return err
			} else if !ok {
				allowed[id/64] &^= 1 << (id % 64)
			}
		}
	}
	return nil
}

// fresh reports whether a name that is not there yet can come of what stands behind a token,
// which m.next has read.
func (m *Matcher) fresh(token string) (bool, error) {
	at := m.at
	for i := range len(token) {
		var err error
		if at, err = m.g.step(at, token[i]); err != nil || at == nowhere {
			return false, err
		}
	}
	for _, top := range m.g.states[at].tops {
		x := m.g.stacks[top]
		r := &m.g.rules[x.rule]
		var begun []byte
		switch {
		case r.kind == inName && x.at == 0:
			begun = m.next.text[m.next.begun:]
		case r.kind == openName:
			alt := r.alts[x.alt]
			r = &m.g.rules[alt[len(alt)-1].rule]
		default:
			return true, nil
		}
		if r.words == endless || int(r.words) > m.taken(r, begun) {
			return true, nil
		}
	}
	return false, nil
}

// taken returns how many of the names that may come of begun are there already.
func (m *Matcher) taken(r *rule, begun []byte) (n int) {
	for _, s := range m.next.own() {
		name := m.next.text[s.from:s.to]
		if rest, ok := bytes.CutPrefix(name, begun); ok && m.g.reads(r, rest) {
			n++
		}
	}
	return n
}

// reads reports whether a rule of names reads the rest of one up to its end.
func (g *Grammar) reads(r *rule, rest []byte) bool {
	for _, b := range rest {
		i := slices.IndexFunc(r.alts, func(alt []symbol) bool { return g.nameBehind(alt) >= 0 && g.sets[alt[0].set].has(b) })
		if i < 0 {
			return false
		}
		r = &g.rules[g.nameBehind(r.alts[i])]
	}
	return slices.ContainsFunc(r.alts, func(alt []symbol) bool { return g.nameBehind(alt) < 0 })
}
