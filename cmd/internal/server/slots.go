package server

import (
	"slices"
	"sync"

	"mptgo/mpt"
	"mptgo/mpt/serve"
)

// noSlot stands for a slot that is not told, or not known.
const noSlot = -1

// slots remember, for who wants to save them, what the last requests were about: each slot the
// sequence of one that has ended. Nothing else depends on them: keys and values are in the prefix
// cache.
type slots struct {
	mu   sync.Mutex
	last []serve.Sequence // by slot; no tokens: none
	used []int            // the turn in which each was used last
	turn int
}

func newSlots(n int) *slots { return &slots{last: make([]serve.Sequence, n), used: make([]int, n)} }

// leastAlike is the part of a prompt, in per cent, that has to be in a slot for the request to
// go on with that one, as llama.cpp has it.
const leastAlike = 10

// keep puts a sequence into the slot that was asked for. Without one it is the slot that has most
// of the prompt, else the one that was used longest ago.
func (s *slots) keep(asked int, prompt int, x serve.Sequence) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if asked == noSlot {
		asked = s.choose(prompt, x)
	}
	s.turn++
	s.last[asked], s.used[asked] = x, s.turn
	return asked
}

// keepSlot keeps a request's prompt and the tokens that followed in a slot.
func (m *served) keepSlot(asked int, r serve.Request, ids []int32) int {
	x := serve.Sequence{Tokens: slices.Concat(r.Prompt, ids), Adapters: r.Adapters, Salt: r.Salt}
	if x.Adapters == nil {
		x.Adapters = m.Engine.Model().Adapters()
	}
	x.Tokens = x.Tokens[:min(len(x.Tokens), m.Engine.Options().ContextSize)]
	return m.slots.keep(asked, len(r.Prompt), x)
}

func (s *slots) choose(prompt int, x serve.Sequence) int {
	best, most := slices.Index(s.used, slices.Min(s.used)), 0
	for i, y := range s.last {
		if y.Salt != x.Salt || !slices.Equal(y.Adapters, x.Adapters) {
			continue
		}
		n := mpt.CommonPrefix(x.Tokens[:prompt], y.Tokens)
		if n > most && 100*n > leastAlike*prompt {
			best, most = i, n
		}
	}
	return best
}

// of returns what is in a slot.
func (s *slots) of(i int) serve.Sequence {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[i]
}

// clear empties a slot, and returns what was in it.
func (s *slots) clear(i int) serve.Sequence {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.last[i]
	s.last[i], s.used[i] = serve.Sequence{}, 0
	return x
}
