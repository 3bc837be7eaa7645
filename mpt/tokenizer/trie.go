package tokenizer

// trie finds added tokens in a text. Nodes are linked by indices: child is the
// first of a node's children, next the following child of the same parent.
// Zero, the root, ends both.
type trie struct {
	nodes []trieNode
	first [256]bool // whether some token starts with a byte
}

type trieNode struct {
	b           byte
	id          int32 // of the token that ends here, or None
	child, next int32
}

func newTrie() *trie { return &trie{nodes: []trieNode{{id: None}}} }

// add enters a token. The empty text is ignored: it is nowhere to be found.
func (t *trie) add(text string, id int32) {
	if text == "" {
		return
	}
	t.first[text[0]] = true
	at := int32(0)
	for i := range len(text) {
		child := t.child(at, text[i])
		if child == 0 {
			child = int32(len(t.nodes))
			t.nodes = append(t.nodes, trieNode{b: text[i], id: None, next: t.nodes[at].child})
			t.nodes[at].child = child
		}
		at = child
	}
	t.nodes[at].id = id
}

// child returns the child of the node at for the byte b, or 0.
func (t *trie) child(at int32, b byte) int32 {
	c := t.nodes[at].child
	for c != 0 && t.nodes[c].b != b {
		c = t.nodes[c].next
	}
	return c
}

// find returns the leftmost token in text, the longest of those that start at
// the same place: its id and text[start:end]. Without any, start is len(text).
// Looking at n bytes takes at most n times the longest token.
func (t *trie) find(text string) (id int32, start, end int) {
	for start := range len(text) {
		if !t.first[text[start]] {
			continue
		}
		if id, n := t.longest(text[start:]); n > 0 {
			return id, start, start + n
		}
	}
	return None, len(text), len(text)
}

// longest returns the longest token that text starts with and its length, or 0.
func (t *trie) longest(text string) (id int32, length int) {
	at := int32(0)
	for i := range len(text) {
		if at = t.child(at, text[i]); at == 0 {
			break
		}
		if t.nodes[at].id != None {
			id, length = t.nodes[at].id, i+1
		}
	}
	return id, length
}
