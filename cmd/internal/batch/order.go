package batch

import (
	"cmp"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
)

// links is how many beginnings of a prompt are compared: of 128 bytes, 256, up to 16 KiB.
const links = 8

const firstLink = 128

// key orders requests: prompts that begin alike lie side by side, and what shares more lies
// closer. It takes the same memory for every prompt.
type key struct {
	chain [links]uint32 // hashes of longer and longer beginnings
	i     int32
}

func (a key) compare(b key) int {
	return cmp.Or(slices.Compare(a.chain[:], b.chain[:]), cmp.Compare(a.i, b.i))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// chainOf returns the hashes of a request's prompt, as its text in JSON: what has equal tokens
// nearly always has equal text. It begins with what keeps prompts from being shared.
func chainOf(r *Request) (c [links]uint32) {
	f := fieldsOf(r.Body)
	h, size, k, end := uint32(0), 0, 0, firstLink
	for _, part := range [][]byte{[]byte(r.URL), f["cache_salt"], f["lora"], f["messages"], f["prompt"]} {
		for len(part) > 0 && k < links {
			n := min(len(part), end-size)
			h = crc32.Update(h, castagnoli, part[:n])
			part, size = part[n:], size+n
			if size == end {
				c[k], k, end = h, k+1, 2*end
			}
		}
	}
	for ; k < links; k++ {
		c[k] = h
	}
	return c
}

// Shard is a part of the lines, I of N from 0. The zero value is all of them.
type Shard struct{ I, N int }

// ParseShard reads "I/N".
func ParseShard(text string) (s Shard, err error) {
	i, n, ok := strings.Cut(text, "/")
	if ok {
		s.I, err = strconv.Atoi(i)
	}
	if ok && err == nil {
		s.N, err = strconv.Atoi(n)
	}
	if !ok || err != nil || s.N < 1 || s.N > 1<<16 || s.I < 0 || s.I >= s.N {
		return Shard{}, fmt.Errorf("%q is no shard: want I/N, with I from 0 to N-1", text)
	}
	return s, nil
}

func (s Shard) String() string { return fmt.Sprintf("%d/%d", s.I, s.N) }

// cut returns the shard's part of a list. Neighbours stay together.
func (s Shard) cut(list []int32) []int32 {
	if s.N == 0 {
		return list
	}
	n := len(list)
	return list[n*s.I/s.N : n*(s.I+1)/s.N]
}
