package sampling

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Candidate is a token that may come next.
type Candidate struct {
	ID    int32
	Logit float32 // as the samplers before have left it
	P     float32 // its share of the candidates, once a sampler has asked for it
}

// before reports whether a is the better candidate. Equal logits are ordered
// by id, so that the order is total.
func (a Candidate) before(b Candidate) bool {
	return a.Logit > b.Logit || a.Logit == b.Logit && a.ID < b.ID
}

func rank(a, b Candidate) int {
	if c := cmp.Compare(b.Logit, a.Logit); c != 0 {
		return c
	}
	return cmp.Compare(a.ID, b.ID)
}

// candidates is the reusable buffer that samplers work on. No logit in it is
// NaN.
//
// It starts as a plain copy of the logits and becomes a list when the first
// sampler drops candidates: a list of fifty thousand is slow to write, and most
// chains start with top-k.
type candidates struct {
	logits []float32   // by id, while plain
	plain  bool        // every token is a candidate and list is not in use
	list   []Candidate // the candidates, once not plain
	ranked int         // so many at the front of list are the best, in order
	scored []scored    // scratch of typical
}

// load makes every token a candidate. It refuses logits that no sampler can
// give a meaning to.
func (c *candidates) load(logits []float32) error {
	if len(logits) == 0 {
		return fmt.Errorf("sampling: there are no logits")
	}
	c.logits = append(c.logits[:0], logits...)
	c.list, c.ranked, c.plain = c.list[:0], 0, true
	for id, l := range c.logits {
		if !(l <= math.MaxFloat32) {
			return fmt.Errorf("sampling: the logit of token %d is %v: the model or its file is broken", id, l)
		}
	}
	return nil
}

func (c *candidates) len() int {
	if c.plain {
		return len(c.logits)
	}
	return len(c.list)
}

// items returns the candidates as a list. A sampler that changes logits in it
// calls [candidates.changed].
func (c *candidates) items() []Candidate {
	if c.plain {
		c.list = slices.Grow(c.list[:0], len(c.logits))
		for id, l := range c.logits {
			c.list = append(c.list, Candidate{ID: int32(id), Logit: l})
		}
		c.plain = false
	}
	return c.list
}

// logit returns where the logit of token id is stored, or nil if the token is
// not a candidate. Whoever writes to it calls [candidates.changed].
func (c *candidates) logit(id int32) *float32 {
	if c.plain {
		if id < 0 || int(id) >= len(c.logits) {
			return nil
		}
		return &c.logits[id]
	}
	for i := range c.list {
		if c.list[i].ID == id {
			return &c.list[i].Logit
		}
	}
	return nil
}

// changed says that logits have been written to.
func (c *candidates) changed() { c.ranked = 0 }

// top returns the best candidate.
func (c *candidates) top() Candidate {
	if c.plain {
		t := Candidate{ID: 0, Logit: c.logits[0]}
		for id, l := range c.logits {
			if l > t.Logit {
				t = Candidate{ID: int32(id), Logit: l}
			}
		}
		return t
	}
	if c.ranked > 0 {
		return c.list[0]
	}
	t := c.list[0]
	for _, x := range c.list[1:] {
		if x.before(t) {
			t = x
		}
	}
	return t
}

// only leaves x as the one candidate, with probability 1.
func (c *candidates) only(x Candidate) {
	x.P = 1
	c.list, c.ranked, c.plain = append(c.list[:0], x), 1, false
}

// keep leaves the best n candidates, in order; 0 < n <= c.len().
func (c *candidates) keep(n int) {
	if !c.plain {
		c.rank(n)
		c.list = c.list[:n]
		return
	}
	h := slices.Grow(c.list[:0], n)
	for id, l := range c.logits[:n] {
		h = append(h, Candidate{ID: int32(id), Logit: l})
	}
	heapify(h)
	worst := h[0].Logit
	for i, l := range c.logits[n:] {
		if l > worst { // of equal logits the lower id is in already
			h[0] = Candidate{ID: int32(n + i), Logit: l}
			sift(h, 0)
			worst = h[0].Logit
		}
	}
	slices.SortFunc(h, rank)
	c.list, c.ranked, c.plain = h, n, false
}

// best returns the candidate that i others are better than.
func (c *candidates) best(i int) *Candidate {
	if n := len(c.items()); i >= c.ranked {
		c.rank(min(max(64, 4*i), n))
	}
	return &c.list[i]
}

// rank puts the best n candidates of the list at its front, in order.
func (c *candidates) rank(n int) {
	if n <= c.ranked {
		return
	}
	rest := c.list[c.ranked:]
	h := rest[:n-c.ranked]
	if len(h) < len(rest)/4 {
		heapify(h)
		for i := len(h); i < len(rest); i++ {
			if rest[i].before(h[0]) {
				rest[i], h[0] = h[0], rest[i]
				sift(h, 0)
			}
		}
	} else {
		h, n = rest, len(c.list)
	}
	slices.SortFunc(h, rank)
	c.ranked = n
}

// within drops the candidates whose logit is more than d below the best one.
// Those that equal the best one always stay.
func (c *candidates) within(d float64) {
	top := c.top().Logit
	near := func(l float32) bool { return l == top || float64(top)-float64(l) <= d }
	if c.plain {
		c.list = slices.Grow(c.list[:0], len(c.logits))
		for id, l := range c.logits {
			if near(l) {
				c.list = append(c.list, Candidate{ID: int32(id), Logit: l})
			}
		}
		c.plain = false
		return
	}
	kept, ranked := c.list[:0], 0
	for i, x := range c.list {
		if near(x.Logit) {
			kept = append(kept, x)
			if i < c.ranked {
				ranked++
			}
		}
	}
	c.list, c.ranked = kept, ranked
}

// drop removes the best n candidates, which have been ranked.
func (c *candidates) drop(n int) {
	c.list = append(c.list[:0], c.list[n:]...)
	c.ranked -= n
}

// softmax sets P of every candidate and returns the sum of exp(logit - top),
// which is at least 1, and the best logit, top. If that is infinite the
// candidates that share it are equally likely and the others impossible.
func (c *candidates) softmax() (sum float64, top float32) {
	list := c.items()
	top = c.top().Logit
	for i := range list {
		w := float32(1)
		if l := list[i].Logit; l != top {
			w = float32(exp(float64(l) - float64(top)))
		}
		list[i].P = w
		sum += float64(w)
	}
	for i := range list {
		list[i].P = float32(float64(list[i].P) / sum)
	}
	return sum, top
}

// heapify orders h so that its worst candidate is h[0].
func heapify(h []Candidate) {
	for i := len(h)/2 - 1; i >= 0; i-- {
		sift(h, i)
	}
}

// sift lets h[i] sink to its place in the heap.
func sift(h []Candidate, i int) {
	x := h[i]
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if r := child + 1; r < len(h) && h[child].before(h[r]) {
			child = r
		}
		if !x.before(h[child]) {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = x
}
