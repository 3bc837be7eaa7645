package sampling

import (
	"math/rand/v2"
	"slices"
)

// memory is the state of a chain, with scratch space for those who read it.
type memory struct {
	rng     rand.PCG
	mu      float64
	history []int32 // oldest first; may hold more than keep
	keep    int     // how many tokens samplers look back at; -1: all

	counts map[int32]int // scratch of penalties and dry
	z      []int         // scratch of dry
}

// seedStream is the second half of PCG's seed, for a seed of 64 bits.
const seedStream = 0x9e3779b97f4a7c15

func newMemory(keep int, seed uint64, mu float64) memory {
	m := memory{keep: keep, counts: map[int32]int{}}
	m.reset(seed, mu)
	return m
}

func (m *memory) reset(seed uint64, mu float64) {
	m.rng.Seed(seed, seedStream)
	m.mu = mu
	m.history = m.history[:0]
}

// uniform returns a random number in [0, 1).
func (m *memory) uniform() float64 { return float64(m.rng.Uint64()>>11) * 0x1p-53 }

func (m *memory) accept(id int32) {
	if m.keep == 0 {
		return
	}
	// Moving the window down only once in a while makes it cheap.
	if m.keep > 0 && len(m.history) >= 2*m.keep+64 {
		n := copy(m.history, m.last(m.keep))
		m.history = m.history[:n]
	}
	m.history = append(m.history, id)
}

// last returns the n tokens accepted last, oldest first, or all there are if n
// is -1 or they are fewer.
func (m *memory) last(n int) []int32 {
	if n < 0 || n > len(m.history) {
		n = len(m.history)
	}
	return m.history[len(m.history)-n:]
}

// clone returns a copy that shares nothing with m.
func (m *memory) clone() memory {
	return memory{
		rng:     m.rng,
		mu:      m.mu,
		history: slices.Clone(m.history),
		keep:    m.keep,
		counts:  map[int32]int{},
	}
}
