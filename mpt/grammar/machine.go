package grammar

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// machine is the automaton of a grammar, as far as it is known. A state is a set of stacks;
// equal ones are the same. It grows with what texts need, up to limits.
type machine struct {
	mu     sync.Mutex
	g      *Grammar
	stacks []stack
	byItem map[stack]int32
	states []state
	byKey  map[string]int32
	masks  int // states that have one
	tops   int // of all states together
	work   int // stacks that may still be visited for one mask or token
	full   atomic.Bool
	bytes  atomic.Int64 // that states and masks take, roughly

	class   [256]uint8 // of bytes: no set tells those of one apart
	classes int
}

// stack is a place in a rule, and the stack below it, where the text goes on when the rule has
// come to its end; -1: nowhere.
type stack struct {
	rule, alt, at int32
	below         int32
}

// state is what a text that was read so far may be: the stacks whose next symbol is a set of
// bytes, in order, and whether the text may end.
type state struct {
	tops []int32
	ends bool

	// Any characters that stand for themselves in a string of JSON may follow, so many of them
	// and no others: see Vocabulary. 0 says nothing.
	free int32

	next []int32  // by class of byte: a state, nowhere: none can follow, 0: not known yet
	mask []uint64 // of the tokens that may follow, see Vocabulary; nil: not known
}

// The numbers of states: the first is where texts begin.
const (
	nowhere = -1
	start   = 1
)

// What a grammar may take: a hundred megabytes at worst, see Bytes, and for a mask some tens of milliseconds.
const (
	mostStacks  = 1 << 20
	mostTops    = 4096 // of a state
	mostAllTops = 1 << 20
	mostStates  = 100_000
	mostMasks   = 1024
	mostWork    = 300_000
	noRuleBelow = -1
)

// ErrTooManyStates says that a text has led a grammar into more states than are allowed.
var ErrTooManyStates = errors.New("grammar: it has too many states: make it simpler or less ambiguous")

// Full reports whether so many states are known that a text may soon need more than are
// allowed: then one who has the text of the grammar should parse it anew.
func (g *Grammar) Full() bool { return g.full.Load() }

// Bytes returns roughly how much memory the known states take: a grammar of much ambiguity may
// come to a hundred megabytes.
func (g *Grammar) Bytes() int64 { return g.bytes.Load() }

// init finds the state that texts begin in.
func (m *machine) init(g *Grammar) error {
	m.forget(g)
	m.classify(g)
	c := closure{m: m}
	for alt := range g.rules[0].alts {
		c.add(stack{0, int32(alt), 0, noRuleBelow})
	}
	_, err := c.state()
	return err
}

// forget forgets all states.
func (m *machine) forget(g *Grammar) {
	m.g = g
	m.byItem, m.byKey = map[stack]int32{}, map[string]int32{}
	m.states = make([]state, start)
	m.work = mostWork
}

// classify parts the bytes in classes: each set of the grammar parts them further.
func (m *machine) classify(g *Grammar) {
	m.classes = 1
	for i := range g.sets {
		type half struct {
			class uint8
			in    bool
		}
		parts := map[half]uint8{}
		for b := range 256 {
			h := half{m.class[b], g.sets[i].has(byte(b))}
			if _, ok := parts[h]; !ok {
				parts[h] = uint8(len(parts))
			}
			m.class[b] = parts[h]
		}
		m.classes = len(parts)
	}
}

// private returns a grammar of the same rules that knows no state but the one at, which has the
// number start there: for a text that has found no room among the states of others.
func (g *Grammar) private(at int32) (*Grammar, error) {
	f := &Grammar{rules: g.rules, sets: g.sets, once: g.once, fewNames: g.fewNames}
	f.machine.forget(f)
	f.class, f.classes = g.class, g.classes
	c := closure{m: &f.machine, ends: g.states[at].ends}
	for _, top := range g.states[at].tops {
		var chain []stack
		for ; top != noRuleBelow; top = g.stacks[top].below {
			chain = append(chain, g.stacks[top])
		}
		below := int32(noRuleBelow)
		for _, x := range slices.Backward(chain) {
			x.below = below
			below = c.intern(x)
		}
		c.tops = append(c.tops, below)
	}
	_, err := c.state()
	return f, err
}

// step returns the state after a byte; nowhere if it cannot follow.
func (m *machine) step(at int32, b byte) (int32, error) {
	s := &m.states[at]
	class := m.class[b]
	if n := s.next[class]; n != 0 {
		return n, nil
	}
	c := closure{m: m}
	for _, top := range s.tops {
		x := m.stacks[top]
		sym := m.g.rules[x.rule].alts[x.alt][x.at]
		if m.g.sets[sym.set].has(b) {
			x.at++
			c.add(x)
		}
	}
	n, err := c.state()
	if err != nil {
		return 0, err
	}
	m.states[at].next[class] = n // the list of states may have moved
	return n, nil
}

// closure collects the stacks of a state.
type closure struct {
	m    *machine
	tops []int32
	ends bool
	err  error
	todo []stack
	seen map[stack]bool
}

// add adds a stack: if its next symbol is a rule, those of the rule's alternatives, and if it
// is at its end, the one below.
func (c *closure) add(x stack) {
	if c.seen == nil {
		c.seen = map[stack]bool{}
	}
	for c.todo = append(c.todo, x); len(c.todo) > 0 && c.err == nil; {
		x := c.todo[len(c.todo)-1]
		c.todo = c.todo[:len(c.todo)-1]
		if !c.seen[x] {
			c.seen[x] = true
			c.visit(x)
		}
	}
}

func (c *closure) visit(x stack) {
	alt := c.m.g.rules[x.rule].alts[x.alt]
	c.m.work--
	switch {
	case c.m.work < 0 || len(c.tops) > mostTops:
		c.err = ErrTooManyStates
	case int(x.at) == len(alt) && x.below == noRuleBelow:
		c.ends = true
	case int(x.at) == len(alt):
		c.todo = append(c.todo, c.m.stacks[x.below])
	case alt[x.at].rule < 0:
		c.tops = append(c.tops, c.intern(x))
	default:
		sym, below := alt[x.at], x.below
		if int(x.at)+1 < len(alt) { // else what is below the rule is where it goes on
			x.at++
			below = c.intern(x)
		}
		for k := range c.m.g.rules[sym.rule].alts {
			c.todo = append(c.todo, stack{sym.rule, int32(k), 0, below})
		}
	}
}

// intern returns the number of a stack.
func (c *closure) intern(x stack) int32 {
	n, ok := c.m.byItem[x]
	if !ok {
		if n = int32(len(c.m.stacks)); n >= mostStacks {
			c.err = ErrTooManyStates
			return 0
		}
		c.m.byItem[x] = n
		c.m.stacks = append(c.m.stacks, x)
	}
	return n
}

// state returns the state of the stacks that were added.
func (c *closure) state() (int32, error) {
	if c.err != nil {
		return 0, c.err
	}
	if len(c.tops) == 0 && !c.ends {
		return nowhere, nil
	}
	slices.Sort(c.tops)
	key := make([]byte, 1, 1+4*len(c.tops))
	if c.ends {
		key[0] = 1
	}
	for _, t := range c.tops {
		key = append(key, byte(t), byte(t>>8), byte(t>>16), byte(t>>24))
	}
	m := c.m
	if n, ok := m.byKey[string(key)]; ok {
		return n, nil
	}
	n := int32(len(m.states))
	m.tops += len(c.tops)
	if n >= mostStates || m.tops > mostAllTops {
		m.full.Store(true)
		return 0, ErrTooManyStates
	}
	if n > mostStates/2 || m.tops > mostAllTops/2 || len(m.stacks) > mostStacks/2 {
		m.full.Store(true)
	}
	m.byKey[string(key)] = n
	m.bytes.Add(int64(200 + 4*m.classes + 12*len(c.tops)))
	m.states = append(m.states,
		state{tops: slices.Clone(c.tops), ends: c.ends, free: m.free(c.tops), next: make([]int32, m.classes)})
	return n, nil
}

// free returns how many characters may follow that stand for themselves in a string of JSON,
// if all stacks are in one; else 0.
func (m *machine) free(tops []int32) (n int32) {
	for _, top := range tops {
		x := m.stacks[top]
		r := &m.g.rules[x.rule]
		if r.character && x.at == 0 && x.below != noRuleBelow {
			x = m.stacks[x.below]
			r, x.at = &m.g.rules[x.rule], x.at-1
		}
		if x.at != 0 || r.free == 0 {
			return 0
		}
		n = max(n, r.free)
	}
	return n
}
