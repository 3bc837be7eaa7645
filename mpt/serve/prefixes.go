package serve

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"mptgo/ggml"
	"mptgo/mpt"
)

// prefixes is the cache of prefixes: sessions whose keys and values are shared with those
// of requests. Sequences of tokens that are in order lie beside those that they have most in
// common with, so a sorted list does what a tree would: the longest common prefix with any
// entry is that with a neighbour, and memory is counted between neighbours.
//
// An entry holds whole pages together with its neighbours as far as their tokens agree, so
// the pages that all entries hold are, for each, those of its tokens less those of the
// prefix that it has in common with the one before.
//
// It belongs to the scheduler.
type prefixes struct {
	m      *mpt.Model
	budget int64  // bytes of pages
	share  *share // of what several engines may hold together; nil: there is only one
	groups map[string][]*prefix
	pages  int64   // that all entries hold
	tokens int64   // the same
	clock  uint64  // counts uses
	logits int     // entries that have their last logits
	saving *prefix // its pages are being written to disk, which holds them; nil: none

	ordered bool // see [Options].Ordered

	queries, hits int64 // tokens that were asked for and found
}

// prefix is a sequence of evaluated tokens.
type prefix struct {
	group   string
	ids     []int32
	session *mpt.Session
	common  int    // tokens in common with the entry before
	used    uint64 // the clock then
	trail
}

// trail is what is known of the use of an entry and of those that its request found.
type trail struct {
	hits int // how often something was found
	hot  int // the longest part that was found more than once
	last int // the part that was found last
}

// found counts that n tokens were found.
func (t *trail) found(n int) {
	t.hits++
	t.hot = max(t.hot, min(n, t.last))
	t.last = n
}

func (t *trail) join(o trail) {
	t.hits, t.hot, t.last = max(t.hits, o.hits), max(t.hot, o.hot), max(t.last, o.last)
}

const (
	// logitRows is how many entries keep the logits after their last token: an equal prompt
	// needs no evaluation then. A row takes as much memory as some tokens.
	logitRows = 32
	// leastHot is how many tokens are worth being kept when the rest of an entry goes.
	leastHot = ggml.PageSize
)

// groupOf names the prefixes that a request may share: those of the same adapters and salt.
func groupOf(salt string, adapters []mpt.AdapterUse) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q", salt)
	for _, u := range adapters {
		if u.Scale != 0 {
			fmt.Fprintf(&b, " %p:%g", u.Adapter, u.Scale)
		}
	}
	return b.String()
}

func pagesOf(tokens int) int64 { return int64((tokens + ggml.PageSize - 1) / ggml.PageSize) }

// pageBytes returns the size of a page in all layers.
func (p *prefixes) pageBytes() int64 { return p.m.CacheBytes(1) }

// bytes returns the memory that the entries hold, shared pages counted once.
func (p *prefixes) bytes() int64 { return p.pages * p.pageBytes() }

// find returns an entry that has most tokens in common with ids, and how many: of several
// the one that was found most often.
func (p *prefixes) find(group string, ids []int32) (best *prefix, n int) {
	list := p.groups[group]
	if len(list) == 0 {
		return nil, 0
	}
	at, same := search(list, ids)
	if same && list[at].session.Logits() != nil {
		return list[at], len(ids)
	}
	from := max(at-1, 0)
	n = mpt.CommonPrefix(list[from].ids, ids)
	if at > 0 && at < len(list) {
		if k := mpt.CommonPrefix(list[at].ids, ids); k > n {
			from, n = at, k
		}
	}
	for from > 0 && list[from].common >= n {
		from--
	}
	best = list[from]
	for _, x := range list[from+1:] {
		if x.common < n {
			break
		}
		if x.hits > best.hits {
			best = x
		}
	}
	return best, n
}

// search returns where in a list ids are, or belong, and whether they are there.
func search(list []*prefix, ids []int32) (at int, same bool) {
	return slices.BinarySearchFunc(list, ids, func(x *prefix, ids []int32) int { return slices.Compare(x.ids, ids) })
}

// use counts that the first n tokens of an entry were found.
func (p *prefixes) use(x *prefix, n int) {
	p.clock++
	x.used = p.clock
	x.found(n)
}

// add puts the tokens of a session into the cache, and evicts what there is no room for. The
// trail is that of the entry that its request began with.
func (p *prefixes) add(group string, s *mpt.Session, t trail) error {
	if p.budget < p.pageBytes() || s.Len() == 0 {
		return nil
	}
	list := p.groups[group]
	at, same := search(list, s.Tokens())
	p.clock++
	switch {
	case same && (s.Logits() == nil || list[at].session.Logits() != nil):
		list[at].used = p.clock
		return nil
	case same:
		p.remove(list[at])
	case s.Logits() == nil && at < len(list) && startsWith(list[at].ids, s.Tokens()):
		list[at].used = p.clock // it holds these, too
		return nil
	}
	f, err := s.Fork()
	if err != nil {
		return err
	}
	if err := p.fit(f); err != nil {
		f.Close()
		return err
	}
	x := &prefix{group: group, ids: slices.Clone(f.Tokens()), session: f, used: p.clock, trail: t}
	if err := p.insert(x); err != nil {
		return err
	}
	p.dropCovered(x)
	p.forgetLogits()
	p.shrink(p.budget)
	for !p.share.claim(p.bytes()) && p.pages > 0 {
		p.evict()
	}
	return nil
}

// yield gives up what is above the engine's part of the budget if others want theirs.
func (p *prefixes) yield() {
	if part, asked := p.share.wanted(); asked {
		p.shrink(part)
		p.share.claim(p.bytes())
	}
}

// fit leaves as many tokens of a session as the whole budget holds.
func (p *prefixes) fit(s *mpt.Session) error {
	if most := int(p.budget/p.pageBytes()) * ggml.PageSize; s.Len() > most {
		return s.Truncate(most)
	}
	return nil
}

// insert puts an entry into the list and has it share pages with its neighbours.
func (p *prefixes) insert(x *prefix) error {
	list := p.groups[x.group]
	at, same := search(list, x.ids)
	if same {
		x.session.Close()
		return nil
	}
	var before, after *prefix
	if at > 0 {
		before = list[at-1]
		x.common = mpt.CommonPrefix(before.ids, x.ids)
	}
	next := 0
	if at < len(list) {
		after = list[at]
		next = mpt.CommonPrefix(x.ids, after.ids)
	}
	nearest := before
	if next > x.common {
		nearest = after
	}
	if nearest != nil {
		if err := x.session.ShareWith(nearest.session); err != nil {
			x.session.Close()
			return err
		}
	}
	p.groups[x.group] = slices.Insert(list, at, x)
	p.count(x, 1)
	if after != nil {
		p.count(after, -1)
		after.common = next
		p.count(after, 1)
	}
	if x.session.Logits() != nil {
		p.logits++
	}
	return nil
}

// count counts what an entry holds beside the one before it.
func (p *prefixes) count(x *prefix, sign int64) {
	p.pages += sign * (pagesOf(len(x.ids)) - int64(x.common/ggml.PageSize))
	p.tokens += sign * int64(len(x.ids)-x.common)
}

// remove takes an entry out.
func (p *prefixes) remove(x *prefix) {
	list := p.groups[x.group]
	at := slices.Index(list, x)
	p.count(x, -1)
	if at+1 < len(list) {
		after := list[at+1]
		p.count(after, -1)
		after.common = min(after.common, x.common)
		p.count(after, 1)
	}
	if x.session.Logits() != nil {
		p.logits--
	}
	x.session.Close()
	if list = slices.Delete(list, at, at+1); len(list) > 0 {
		p.groups[x.group] = list
	} else {
		delete(p.groups, x.group)
	}
}

// dropCovered removes entries without logits that x begins with: x holds all they have.
func (p *prefixes) dropCovered(x *prefix) {
	for {
		list := p.groups[x.group]
		at := slices.Index(list, x)
		if at < 1 || list[at-1].session.Logits() != nil || !startsWith(x.ids, list[at-1].ids) {
			return
		}
		old := list[at-1]
		x.join(old.trail)
		p.remove(old)
	}
}

// forgetLogits releases the logits of entries beyond the newest ones.
func (p *prefixes) forgetLogits() {
	for p.logits > logitRows {
		x := p.oldest(func(x *prefix) bool { return x.session.Logits() != nil })
		x.session.ForgetLogits()
		p.logits--
		list := p.groups[x.group]
		if at := slices.Index(list, x); at+1 < len(list) && startsWith(list[at+1].ids, x.ids) {
			p.remove(x)
		}
	}
}

// oldest returns the entry of some kind that was used longest ago, or nil.
func (p *prefixes) oldest(kind func(*prefix) bool) (old *prefix) {
	for _, list := range p.groups {
		for _, x := range list {
			if kind(x) && (old == nil || x.used < old.used) {
				old = x
			}
		}
	}
	return old
}

// shrink evicts entries until they hold no more than so many bytes. It reports whether that
// took any.
func (p *prefixes) shrink(bytes int64) (evicted bool) {
	for p.bytes() > max(bytes, 0) {
		p.evict()
		evicted = true
	}
	return evicted
}

// evict takes the entry out that was used longest ago. What was found more than once of it
// stays, and such proven parts go last, as long as they are not most of the entries. Where
// requests are ordered that would keep what nobody comes back to.
func (p *prefixes) evict() {
	if p.ordered {
		p.remove(p.oldest(func(x *prefix) bool { return x != p.saving || p.alone() }))
		return
	}
	proven, all := 0, 0
	for _, list := range p.groups {
		all += len(list)
		for _, x := range list {
			if x.proven() {
				proven++
			}
		}
	}
	x := p.oldest(func(x *prefix) bool { return x != p.saving && (!x.proven() || proven*4 > all*3) })
	if x == nil {
		x = p.oldest(func(x *prefix) bool { return x != p.saving || all == 1 })
	}
	if x.hits < 2 || x.hot < leastHot || x.hot >= len(x.ids) {
		p.remove(x)
		return
	}
	y := &prefix{group: x.group, ids: slices.Clone(x.ids[:x.hot]), used: x.used, trail: x.trail}
	f, err := x.session.Fork()
	p.remove(x)
	if err != nil {
		return
	}
	next, n := p.find(y.group, y.ids)
	if n == len(y.ids) { // it holds these, too
		next.trail.join(y.trail)
		f.Close()
		return
	}
	if err := errors.Join(f.Truncate(x.hot), f.ForgetLogits()); err != nil {
		f.Close()
		return
	}
	y.session = f
	p.insert(y) // an error closes it
}

// alone reports whether there is one entry.
func (p *prefixes) alone() bool {
	n := 0
	for _, list := range p.groups {
		n += len(list)
	}
	return n == 1
}

// proven reports whether all of an entry was found more than once.
func (x *prefix) proven() bool { return x.hits > 1 && x.hot == len(x.ids) }

// clear removes all entries.
func (p *prefixes) clear() {
	for _, list := range p.groups {
		for _, x := range list {
			x.session.Close()
		}
	}
	p.groups, p.pages, p.tokens, p.logits = map[string][]*prefix{}, 0, 0, 0
}

func startsWith(a, b []int32) bool { return len(a) >= len(b) && slices.Equal(a[:len(b)], b) }
