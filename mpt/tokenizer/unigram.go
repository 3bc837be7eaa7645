package tokenizer

// ending is the end of the best way to cut a text up to a place.
type ending struct {
	score float32 // the sum of the scores of the pieces up to there
	id    int32   // of the last piece
	link  int32   // where that begins, or None if no way leads there
}

// bestPath adds the pieces of a text with the greatest sum of scores [Kudo,
// "Subword Regularization", 2018]. Sums are rounded as in sentencepiece, which
// decides between ways that are all but equal. Looking at n bytes takes at most n
// times the longest piece.
func (p *pieces) bestPath(w *pieceWriter, text string) {
	ends := make([]ending, len(text)+1)
	for i := range ends {
		ends[i].link = None
	}
	for at := 0; at < len(text); {
		n := firstRune(text[at:])
		if !p.extend(ends, text, at, n) {
			ends[at+n].offer(float64(ends[at].score+p.unknown), p.unk, at)
		}
		at += n
	}
	// The links lead from the end to the beginning: turn them around.
	at, next := int32(len(text)), int32(None)
	for at > 0 {
		at, next, ends[at].link = ends[at].link, at, next
	}
	for next != None {
		w.add(text[at:next], ends[next].id)
		at, next = next, ends[next].link
	}
}

// extend goes on from the best way to the place at with every piece that follows
// there. It reports whether the first character, of n bytes, is one.
func (p *pieces) extend(ends []ending, text string, at, n int) (single bool) {
	node := int32(0)
	for i := at; i < len(text); {
		if node = p.tree.child(node, text[i]); node == 0 {
			break
		}
		i++
		id := p.tree.ids[node]
		if id == None || p.types[id] == Unused {
			continue
		}
		score := float64(p.scores[id])
		if p.types[id] == UserDefined {
			score = float64(float32(i-at)*p.maxScore) - 0.1
		}
		ends[i].offer(score+float64(ends[at].score), id, at)
		single = single || i-at == n
	}
	return single
}

// offer takes a way to e, if it is the first or better than the others.
func (e *ending) offer(score float64, id int32, start int) {
	if e.link == None || score > float64(e.score) {
		*e = ending{float32(score), id, int32(start)}
	}
}

// prefixTree finds all tokens that a text begins with, one byte at a time. Nodes
// are numbers, the root is 0. Unlike a trie it takes the same time however many
// children a node has.
type prefixTree struct {
	ids   []int32    // by node: the token that ends there, or None
	edges []treeEdge // hash table with linear probing, at most half full
	used  int
}

// treeEdge leads from a node, by a byte, to a child; it is empty if that is 0.
type treeEdge struct {
	key   uint64 // the node and the byte
	child int32
}

func newPrefixTree() *prefixTree {
	return &prefixTree{ids: []int32{None}, edges: make([]treeEdge, 1<<10)}
}

// add enters a token.
func (t *prefixTree) add(text string, id int32) {
	at := int32(0)
	for i := range len(text) {
		e := t.edge(at, text[i])
		if e.child == 0 {
			*e = treeEdge{treeKey(at, text[i]), int32(len(t.ids))}
			t.ids = append(t.ids, None)
			at = e.child
			t.grow()
			continue
		}
		at = e.child
	}
	t.ids[at] = id
}

// child returns the child of a node for a byte, or 0.
func (t *prefixTree) child(node int32, b byte) int32 { return t.edge(node, b).child }

func treeKey(node int32, b byte) uint64 { return uint64(uint32(node))<<8 | uint64(b) }

// edge returns the edge from a node by a byte, or where it would be.
func (t *prefixTree) edge(node int32, b byte) *treeEdge {
	key := treeKey(node, b)
	for h := spread(key); ; h++ {
		e := &t.edges[h&uint64(len(t.edges)-1)]
		if e.child == 0 || e.key == key {
			return e
		}
	}
}

// grow doubles the table when it is half full.
func (t *prefixTree) grow() {
	if t.used++; 2*t.used < len(t.edges) {
		return
	}
	old := t.edges
	t.edges = make([]treeEdge, 2*len(old))
	for _, e := range old {
		if e.child != 0 {
			*t.edge(int32(e.key>>8), byte(e.key)) = e
		}
	}
}

// spread returns a hash of which all bits may be used.
func spread(key uint64) uint64 {
	const golden = 0x9E3779B97F4A7C15
	key *= golden
	return key ^ key>>32
}
