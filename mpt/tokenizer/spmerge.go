package tokenizer

import (
	"unicode/utf8"
)

// mergeParts cuts a text at the user-defined pieces, and where no piece has the
// two characters side by side: parts merge independently.
func (p *pieces) mergeParts(w *pieceWriter, text string) {
	for text != "" {
		id, start, end := p.user.find(text)
		rest := text[:start]
		for rest != "" {
			n := p.joined.run(rest)
			p.mergePart(w, rest[:n])
			rest = rest[n:]
		}
		if start < end {
			w.add(text[start:end], id)
		}
		text = text[end:]
	}
}

// shortPart is the length in bytes up to which a part is merged in place, in
// quadratic time.
const shortPart = 96

// mergePart adds the pieces of a part: again and again, of the adjacent pieces
// whose texts together are a piece of the best rank, the leftmost become one.
func (p *pieces) mergePart(w *pieceWriter, part string) {
	if len(part) > shortPart {
		p.mergeExactly(w, part)
		return
	}
	var startsBuf, ranksBuf [shortPart + 1]int32
	starts := startsBuf[:0] // of the pieces, and the end
	for i := range part {
		starts = append(starts, int32(i))
	}
	starts = append(starts, int32(len(part)))
	ranks := ranksBuf[:len(starts)-2] // of piece i with the next one
	for i := range ranks {
		ranks[i] = p.rankOf(part[starts[i]:starts[i+2]])
	}
	for i := lowest(ranks); i >= 0; i = lowest(ranks) {
		starts = append(starts[:i+1], starts[i+2:]...)
		ranks = append(ranks[:i], ranks[i+1:]...)
		if i > 0 {
			ranks[i-1] = p.rankOf(part[starts[i-1]:starts[i+1]])
		}
		if i < len(ranks) {
			ranks[i] = p.rankOf(part[starts[i]:starts[i+2]])
		}
	}
	for i := range len(starts) - 1 {
		text := part[starts[i]:starts[i+1]]
		w.add(text, p.id(text))
	}
}

// rankOf returns the rank of a text, or noRank if it is no piece.
func (p *pieces) rankOf(text string) int32 {
	if id, ok := p.ids[text]; ok {
		return p.ranks[id]
	}
	return noRank
}

// symbol is a piece of a text that is being merged: a node of a doubly linked
// list whose links are indices.
type symbol struct {
	start, end int32 // in the text; equal once it is part of the one before
	prev, next int32
	fixed      bool // a user-defined piece, which does not merge
}

// offer says that the symbol at and the next one may become one, which ends at
// end.
type offer struct{ rank, at, end int32 }

// merging is a text in the course of mergeExactly.
type merging struct {
	p       *pieces
	text    string
	symbols []symbol
	heap    []offer
	halves  map[string]int // of unused pieces: the length of the first of the two they were made of
}

// mergeExactly is mergeParts for a whole text, in O(n log n). Here pieces of
// type unused work as in the reference: where one is made, it falls apart again
// into the two that were last seen to make it.
func (p *pieces) mergeExactly(w *pieceWriter, text string) {
	m := merging{p: p, text: text, symbols: p.symbols(text)}
	for i := range len(m.symbols) - 1 {
		m.offer(int32(i))
	}
	for len(m.heap) > 0 {
		o := m.pop()
		s := &m.symbols[o.at]
		if s.start == s.end || s.next == None || m.symbols[s.next].end != o.end {
			continue // a merge beside it has made it void
		}
		m.join(o.at)
	}
	for i := int32(0); i != None; i = m.symbols[i].next {
		s := m.symbols[i]
		m.add(w, text[s.start:s.end])
	}
}

// symbols cuts a text into characters and user-defined pieces.
func (p *pieces) symbols(text string) []symbol {
	all := make([]symbol, 0, utf8.RuneCountInString(text))
	for at := 0; at < len(text); {
		_, n := p.user.longest(text[at:])
		s := symbol{start: int32(at), fixed: n > 0, prev: int32(len(all) - 1), next: int32(len(all) + 1)}
		if n == 0 {
			n = firstRune(text[at:])
		}
		at += n
		s.end = int32(at)
		all = append(all, s)
	}
	all[len(all)-1].next = None
	return all
}

// join makes symbol i and the next one into one.
func (m *merging) join(i int32) {
	s := &m.symbols[i]
	next := &m.symbols[s.next]
	s.end, s.next = next.end, next.next
	next.start = next.end
	if s.next != None {
		m.symbols[s.next].prev = i
	}
	if s.prev != None {
		m.offer(s.prev)
	}
	m.offer(i)
}

// offer puts the merge of symbol i with the next one on the heap, if there is
// one.
func (m *merging) offer(i int32) {
	s := &m.symbols[i]
	if s.next == None || s.fixed || m.symbols[s.next].fixed {
		return
	}
	end := m.symbols[s.next].end
	id, ok := m.p.ids[m.text[s.start:end]]
	if !ok {
		return
	}
	if m.p.types[id] == Unused {
		if m.halves == nil {
			m.halves = map[string]int{}
		}
		m.halves[m.text[s.start:end]] = int(s.end - s.start)
	}
	m.push(offer{m.p.ranks[id], i, end})
}

// add adds a piece, or the two parts of an unused one.
func (m *merging) add(w *pieceWriter, text string) {
	id := m.p.id(text)
	if n, ok := m.halves[text]; ok && m.p.types[id] == Unused {
		m.add(w, text[:n])
		m.add(w, text[n:])
		return
	}
	w.add(text, id)
}

func (o offer) before(p offer) bool { return o.rank < p.rank || o.rank == p.rank && o.at < p.at }

func (m *merging) push(o offer) {
	m.heap = append(m.heap, o)
	h := m.heap
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !o.before(h[up]) {
			return
		}
		h[i], h[up] = h[up], o
		i = up
	}
}

// pop removes the first offer.
func (m *merging) pop() offer {
	h := m.heap
	top, o := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	m.heap = h
	for i := 0; i < len(h); {
		child := 2*i + 1
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if child >= len(h) || !h[child].before(o) {
			h[i] = o
			break
		}
		h[i] = h[child]
		i = child
	}
	return top
}
