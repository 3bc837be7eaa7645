package grammar

import (
	"errors"
	"fmt"
)

// Matcher follows one text. It serves one goroutine at a time.
type Matcher struct {
	g    *Grammar
	v    *Vocabulary
	ends []int32
	at   int32 // a state
	over []bool

	json, next jsonText // where the text is, and would be behind a token
}

// Matcher returns a matcher at the beginning of a text of tokens of v. Those of ends, usually those
// of [tokenizer.Tokenizer.EOGs], stand for the end of the text and for nothing else. All matchers
// of a grammar must be of the same vocabulary.
func (g *Grammar) Matcher(v *Vocabulary, ends []int32) *Matcher {
	return &Matcher{g: g, v: v, ends: ends, at: start}
}

// Allow clears the bits of the tokens, one bit for each token, least significant first, that
// must not follow. It fails with [ErrTooManyStates].
func (m *Matcher) Allow(allowed []uint64) error {
	return m.do(func() error {
		mask, err := m.g.mask(m.at, m.v)
		if err != nil {
			return err
		}
		m.apply(allowed, mask, m.g.states[m.at].ends)
		return m.doubles(allowed)
	})
}

// apply clears what a mask does not have; end tokens follow their own rule.
func (m *Matcher) apply(allowed, mask []uint64, over bool) {
	m.over = m.over[:0]
	for _, id := range m.ends {
		m.over = append(m.over, over && allowed[id/64]>>(id%64)&1 != 0)
	}
	for i := range allowed {
		if i < len(mask) {
			allowed[i] &= mask[i]
		} else {
			allowed[i] = 0
		}
	}
	for i, id := range m.ends {
		allowed[id/64] &^= 1 << (id % 64)
		if m.over[i] {
			allowed[id/64] |= 1 << (id % 64)
		}
	}
}

// Accept goes on behind a token. It fails if that must not follow; the matcher is as before
// then.
func (m *Matcher) Accept(id int32) error {
	if id < 0 || int(id) >= m.v.size || m.v.bytes[id] == "" {
		return fmt.Errorf("grammar: token %d is not one of a text", id)
	}
	return m.do(func() (err error) {
		if m.g.once {
			if fits, err := m.fits(id); err != nil {
				return err
			} else if !fits {
				return fmt.Errorf("grammar: token %d, %q, gives an object a name twice", id, m.v.bytes[id])
			}
		}
		at := m.at
		for i := range len(m.v.bytes[id]) {
			if at, err = m.g.step(at, m.v.bytes[id][i]); err != nil {
				return err
			}
			if at == nowhere {
				return fmt.Errorf("grammar: token %d, %q, must not follow", id, m.v.bytes[id])
			}
		}
		m.at = at
		if m.g.once {
			m.json.read(m.v.bytes[id])
		}
		return nil
	})
}

// do calls f with the grammar to itself. If others have used up its states, the matcher goes
// on with one of its own.
func (m *Matcher) do(f func() error) error {
	once := func() error {
		m.g.mu.Lock()
		defer m.g.mu.Unlock()
		m.g.work = mostWork
		return f()
	}
	err := once()
	if !errors.Is(err, ErrTooManyStates) || !m.g.Full() {
		return err
	}
	m.g.mu.Lock()
	own, failed := m.g.private(m.at)
	m.g.mu.Unlock()
	if failed != nil {
		return err
	}
	m.g, m.at = own, start
	return once()
}

// Clone returns a matcher at the same place of another text.
func (m *Matcher) Clone() *Matcher {
	c := &Matcher{g: m.g, v: m.v, ends: m.ends, at: m.at}
	c.json.copyFrom(&m.json, len(m.json.open))
	return c
}

// Matches reports whether the bytes of a text have the form of the grammar, from its
// beginning to its end.
func (g *Grammar) Matches(text string) (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.work = mostWork
	at := int32(start)
	for i := range len(text) {
		var err error
		if at, err = g.step(at, text[i]); err != nil || at == nowhere {
			return false, err
		}
	}
	return g.states[at].ends && !(g.once && new(jsonText).read(text)), nil
}
