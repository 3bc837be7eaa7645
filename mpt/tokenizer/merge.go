package tokenizer

import (
	"fmt"
	"math/bits"
	"strings"
)

// noRank is greater than every rank: the two tokens do not merge.
const noRank = 1<<31 - 1

// merges is the BPE model: which adjacent tokens become one, and in what order.
type merges struct {
	bytes   [256]int32     // the token of a single byte, or None
	results []int32        // by rank: the token that the pair becomes
	slots   []pairRank     // hash table with linear probing, at most half full
	shift   int            // of the hash to an index of slots
	joined  [256][4]uint64 // bit set by first byte: what may follow it in a token
}

// pairRank is a slot of the hash table; it is empty if left is None.
type pairRank struct{ left, right, rank int32 }

// newMerges resolves the merges of v; ids maps the texts of its tokens to ids.
func newMerges(v *Vocab, ids map[string]int32) (*merges, error) {
	m := &merges{results: make([]int32, len(v.Merges))}
	if err := m.findBytes(ids); err != nil {
		return nil, err
	}
	width := bits.Len(uint(2 * len(v.Merges)))
	m.slots = make([]pairRank, 1<<width)
	m.shift = 64 - width
	for i := range m.slots {
		m.slots[i].left = None
	}
	for rank, line := range v.Merges {
		if err := m.add(int32(rank), line, ids); err != nil {
			return nil, fmt.Errorf("tokenizer: merge %d %q: %w", rank, line, err)
		}
	}
	return m, nil
}

// findBytes looks up the tokens of single bytes. Bytes that valid UTF-8 never
// contains may be missing.
func (m *merges) findBytes(ids map[string]int32) error {
	for b, r := range symbols {
		id, ok := ids[string(r)]
		if !ok {
			if b != 0xC0 && b != 0xC1 && b < 0xF5 {
				return fmt.Errorf("tokenizer: byte %#02x has no token (%q is not in the vocabulary): not a byte-level BPE vocabulary", b, string(r))
			}
			id = None
		}
		m.bytes[b] = id
	}
	return nil
}

// add enters one merge, a line "left right", into the table.
func (m *merges) add(rank int32, line string, ids map[string]int32) error {
	left, right, ok := strings.Cut(line, " ")
	if !ok {
		return fmt.Errorf("is not a pair")
	}
	result, ok := ids[left+right]
	if !ok {
		return fmt.Errorf("the vocabulary has no token %q", left+right)
	}
	a, ok := ids[left]
	if !ok {
		return fmt.Errorf("the vocabulary has no token %q", left)
	}
	b, ok := ids[right]
	if !ok {
		return fmt.Errorf("the vocabulary has no token %q", right)
	}
	slot := m.slot(a, b)
	if slot.left != None {
		return fmt.Errorf("repeats merge %d", slot.rank)
	}
	*slot = pairRank{a, b, rank}
	m.results[rank] = result
	m.join(left + right)
	return nil
}

// join notes which bytes stand side by side in a token that merges make.
func (m *merges) join(text string) {
	b := appendBytes(make([]byte, 0, 64), text)
	for i := 1; i < len(b); i++ {
		m.joined[b[i-1]][b[i]/64] |= 1 << (b[i] % 64)
	}
}

// mayJoin reports whether some token contains the bytes a and b side by side.
// Where it does not, a word falls apart into parts that merge independently.
func (m *merges) mayJoin(a, b byte) bool { return m.joined[a][b/64]>>(b%64)&1 != 0 }

// slot returns where the pair is in the table, or the empty slot for it.
func (m *merges) slot(a, b int32) *pairRank {
	const golden = 0x9E3779B97F4A7C15
	h := (uint64(uint32(a))<<32 | uint64(uint32(b))) * golden >> m.shift
	for {
		s := &m.slots[h]
		if s.left == a && s.right == b || s.left == None {
			return s
		}
		h = (h + 1) & uint64(len(m.slots)-1)
	}
}

// rank returns the rank of merging a with b, or noRank.
func (m *merges) rank(a, b int32) int32 {
	if s := m.slot(a, b); s.left != None {
		return s.rank
	}
	return noRank
}

// shortWord is the length in bytes up to which a word is merged in place, in
// quadratic time.
const shortWord = 64

// appendWord appends the tokens of a word, which is valid UTF-8.
func (m *merges) appendWord(dst []int32, word string) []int32 {
	if len(word) <= shortWord {
		return m.appendShort(dst, word)
	}
	start := 0
	for i := 1; i < len(word); i++ {
		if !m.mayJoin(word[i-1], word[i]) {
			dst = m.appendPart(dst, word[start:i])
			start = i
		}
	}
	return m.appendPart(dst, word[start:])
}

func (m *merges) appendPart(dst []int32, part string) []int32 {
	if len(part) <= shortWord {
		return m.appendShort(dst, part)
	}
	return m.appendLong(dst, part)
}

// appendShort appends the tokens of a word of at most shortWord bytes: again
// and again, the leftmost of the adjacent pairs of lowest rank becomes one.
func (m *merges) appendShort(dst []int32, word string) []int32 {
	base := len(dst)
	for i := range len(word) {
		dst = append(dst, m.bytes[word[i]])
	}
	ids := dst[base:]
	var buf [shortWord]int32
	ranks := buf[:max(len(ids)-1, 0)] // ranks[i] is that of ids[i], ids[i+1]
	for i := range ranks {
		ranks[i] = m.rank(ids[i], ids[i+1])
	}
	for {
		i := lowest(ranks)
		if i < 0 {
			return dst[:base+len(ids)]
		}
		ids[i] = m.results[ranks[i]]
		ids = append(ids[:i+1], ids[i+2:]...)
		ranks = append(ranks[:i], ranks[i+1:]...)
		if i > 0 {
			ranks[i-1] = m.rank(ids[i-1], ids[i])
		}
		if i < len(ranks) {
			ranks[i] = m.rank(ids[i], ids[i+1])
		}
	}
}

// lowest returns the index of the first of the lowest ranks, or -1 if no pair
// has one.
func lowest(ranks []int32) int {
	best, at := int32(noRank), -1
	for i, r := range ranks {
		if r < best {
			best, at = r, i
		}
	}
	return at
}
