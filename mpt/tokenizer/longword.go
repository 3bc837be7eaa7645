package tokenizer

// piece is a token of a word that is being merged: a node of a doubly linked
// list whose links are indices.
type piece struct {
	id         int32 // None once it has become part of the piece to its left
	rank       int32 // of merging it with the next one, or noRank
	prev, next int32
}

// appendLong works like appendShort for a word of any length n in O(n log n), at
// the price of allocations.
func (m *merges) appendLong(dst []int32, word string) []int32 {
	pieces := make([]piece, len(word))
	for i := range pieces {
		pieces[i] = piece{id: m.bytes[word[i]], rank: noRank, prev: int32(i - 1), next: int32(i + 1)}
	}
	pieces[len(pieces)-1].next = None
	a := agenda{index: make(map[int32]int32)}
	for i := range len(pieces) - 1 {
		m.offer(&a, pieces, int32(i))
	}
	for rank, i := a.take(); rank != noRank; rank, i = a.take() {
		if p := &pieces[i]; p.id == None || p.rank != rank {
			continue // an offer that a merge beside it has made void
		}
		m.mergeNext(&a, pieces, i)
	}
	for i := int32(0); i != None; i = pieces[i].next {
		dst = append(dst, pieces[i].id)
	}
	return dst
}

// mergeNext makes piece i and the next one into one.
func (m *merges) mergeNext(a *agenda, pieces []piece, i int32) {
	p := &pieces[i]
	next := &pieces[p.next]
	p.id = m.results[p.rank]
	p.next = next.next
	next.id = None
	if p.next != None {
		pieces[p.next].prev = i
	}
	m.offer(a, pieces, i)
	if p.prev != None {
		m.offer(a, pieces, p.prev)
	}
}

// offer puts the merge of piece i with the next one on the agenda, if there is
// one.
func (m *merges) offer(a *agenda, pieces []piece, i int32) {
	p := &pieces[i]
	p.rank = noRank
	if p.next == None {
		return
	}
	p.rank = m.rank(p.id, pieces[p.next].id)
	if p.rank != noRank {
		a.offer(p.rank, i)
	}
}

// agenda is a priority queue of possible merges: lowest rank first, leftmost
// first of equals.
//
// Each rank has a list of its merges, and only lists are kept in a heap. That the
// lists are in order needs no sorting: two equal stretches of text, if nothing
// crosses their ends, go through the same merges, and of each the one in the left
// stretch comes first. So a pair of tokens is offered from left to right.
type agenda struct {
	lists  []list
	index  map[int32]int32 // from rank to list
	queue  queue           // of lists that may not be empty
	latest int32           // rank of the list that was looked up last
	at     int32           // and its index
}

// list holds the places of merges of one rank.
type list struct {
	places []int32
	done   int // how many of them have been taken
	queued bool
}

func (a *agenda) offer(rank, place int32) {
	i := a.list(rank)
	l := &a.lists[i]
	l.places = append(l.places, place)
	if !l.queued {
		l.queued = true
		a.queue.push(rank, i)
	}
}

// list returns the index of the list for a rank.
func (a *agenda) list(rank int32) int32 {
	if len(a.lists) > 0 && a.latest == rank {
		return a.at
	}
	i, ok := a.index[rank]
	if !ok {
		i = int32(len(a.lists))
		a.lists = append(a.lists, list{})
		a.index[rank] = i
	}
	a.latest, a.at = rank, i
	return i
}

// take removes the first merge; its rank is noRank if there is none.
func (a *agenda) take() (rank, place int32) {
	for len(a.queue) > 0 {
		rank, i := a.queue.top()
		l := &a.lists[i]
		if l.done < len(l.places) {
			l.done++
			return rank, l.places[l.done-1]
		}
		*l = list{places: l.places[:0]}
		a.queue.pop()
	}
	return noRank, None
}

// queue is a binary heap: a rank in the high half and a number in the low half
// of each element, the lowest at the top.
type queue []uint64

func (q queue) top() (rank, number int32) { return int32(q[0] >> 32), int32(q[0]) }

func (q *queue) push(rank, number int32) {
	*q = append(*q, uint64(rank)<<32|uint64(number))
	h := *q
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if h[up] <= h[i] {
			return
		}
		h[up], h[i] = h[i], h[up]
		i = up
	}
}

func (q *queue) pop() {
	last := len(*q) - 1
	v := (*q)[last]
	*q = (*q)[:last]
	if last > 0 {
		q.sink(v)
	}
}

// sink puts v into the free place at the top.
func (h queue) sink(v uint64) {
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1] < h[child] {
			child++
		}
		if v <= h[child] {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = v
}
