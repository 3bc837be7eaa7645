package batch

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"slices"
)

// entry is what is known of a line. A file may have millions of them.
type entry struct {
	at     int64  // where it begins in the input
	result int64  // where its result lies in the journal; 0: there is none
	sum    uint64 // the first bytes of its SHA-256
	size   int32
	line   int32 // from 1
	first  int32 // the line that has the same custom id, and goes first; 0: there is none
	starts uint8 // that came to no end
	failed bool  // its result belongs to the errors
}

// index is all lines that are not blank, in order.
type index struct {
	entries []entry
	order   []int32 // of those that have no flaw: prompts that begin alike lie side by side
	flawed  []int32
	flaws   map[Code]int
	first   []*Flaw // some of them
}

// shownFlaws is how many flaws are told one by one.
const shownFlaws = 10

// named is a custom id.
type named struct {
	id [16]byte // hash
	i  int32
}

var errLimit = errors.New("enough")

// read makes the index of an input, of its first lines if limit is not 0.
func read(ctx context.Context, in *input, rule rules, limit int) (*index, error) {
	// What is made here is large and has no pointers, and what parsing leaves is small: it is
	// cheaper to collect that often than to let it grow as large.
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	n, err := in.count()
	if err != nil {
		return nil, err
	}
	if n > math.MaxInt32 {
		return nil, fmt.Errorf("%s: %d lines: more than this command can count", in.name, n)
	}
	if limit > 0 {
		n = min(n, limit)
	}
	x := &index{entries: make([]entry, 0, n), flaws: map[Code]int{}}
	ids, keys := make([]named, 0, n), make([]key, 0, n)
	err = in.lines(ctx, func(line int, at int64, text []byte) error {
		if limit > 0 && len(x.entries) == limit {
			return nil // all of it is hashed
		}
		if len(x.entries) == cap(x.entries) {
			return errChanged
		}
		i := int32(len(x.entries))
		x.entries = append(x.entries, entry{at: at, size: int32(len(text)), line: int32(line), sum: sumOf(text)})
		r, flaw := rule.parse(line, text)
		if r.CustomID != "" {
			sum := sha256.Sum256([]byte(r.CustomID))
			ids = append(ids, named{[16]byte(sum[:16]), i})
		}
		if flaw == nil {
			keys = append(keys, key{chainOf(&r), i})
		} else {
			x.flaw(i, flaw)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	x.findDuplicates(ids)
	x.sort(keys)
	return x, nil
}

var errChanged = errors.New("the file changed while it was read")

func sumOf(text []byte) uint64 {
	sum := sha256.Sum256(text)
	return binary.LittleEndian.Uint64(sum[:])
}

// flaw counts a line that is not answered.
func (x *index) flaw(i int32, f *Flaw) {
	x.flawed = append(x.flawed, i)
	x.flaws[f.Code]++
	if len(x.first) < shownFlaws {
		x.first = append(x.first, f)
	}
}

// findDuplicates marks lines whose custom id another line had before.
func (x *index) findDuplicates(ids []named) {
	slices.SortFunc(ids, func(a, b named) int { return cmp.Or(bytes.Compare(a.id[:], b.id[:]), cmp.Compare(a.i, b.i)) })
	first := 0
	for k := 1; k < len(ids); k++ {
		if ids[k].id != ids[first].id {
			first = k
			continue
		}
		x.entries[ids[k].i].first = x.entries[ids[first].i].line
	}
}

// sort puts those that are answered in order, and marks the duplicates among them as flawed.
func (x *index) sort(keys []key) {
	slices.SortFunc(keys, key.compare)
	x.order = make([]int32, 0, len(keys))
	var again []int32
	for _, k := range keys {
		if x.entries[k.i].first == 0 {
			x.order = append(x.order, k.i)
		} else {
			again = append(again, k.i)
		}
	}
	slices.Sort(again)
	for _, i := range again {
		x.flaw(i, x.entries[i].duplicate())
	}
	slices.Sort(x.flawed)
}

// duplicate is the flaw of a line whose custom id is taken.
func (e *entry) duplicate() *Flaw {
	return &Flaw{DuplicateID, fmt.Sprintf("line %d: line %d has the same custom_id, and goes first", e.line, e.first)}
}

// find returns the entry of a line, or nil.
func (x *index) find(line int) *entry {
	i, ok := slices.BinarySearchFunc(x.entries, line, func(e entry, line int) int { return int(e.line) - line })
	if !ok {
		return nil
	}
	return &x.entries[i]
}

// text reads a line again.
func (in *input) text(e *entry) ([]byte, error) {
	b := make([]byte, e.size)
	if _, err := in.f.ReadAt(b, e.at); err != nil {
		return nil, fmt.Errorf("%s: line %d: %w", in.name, e.line, err)
	}
	if sumOf(b) != e.sum {
		return nil, fmt.Errorf("%s: line %d: %w", in.name, e.line, errChanged)
	}
	return b, nil
}
