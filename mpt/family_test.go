package mpt_test

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"mptgo/mpt"
)

// twin is a session that shares batches with others, and one of another model of the same
// file, with other batches, that does the same alone.
type twin struct{ s, alone *mpt.Session }

// family is some twins of a model and what happens to them.
type family struct {
	t        *testing.T
	r        *rand.Rand
	m, alone *mpt.Model
	size     int // of contexts
	twins    []*twin
	adapters [][2]*mpt.Adapter
}

// TestNeighboursOfTheFamily: whatever happens to sessions of any model of the family
// (windows, rotary and learned positions, grouped heads, all types of caches, adapters in
// any order; dropped, forked, saved and restored tokens), in batches with others they have the
// bits that they have alone. MPTGO_NEIGHBOURS is how many rounds it takes, see scripts/soak.
func TestNeighboursOfTheFamily(t *testing.T) {
	rounds := 4
	if testing.Short() { // plain Go and the race detector are slow
		rounds = 1
	}
	if text := os.Getenv("MPTGO_NEIGHBOURS"); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	names := slices.Sorted(maps.Keys(combinations))
	if testing.Short() {
		names = slices.DeleteFunc(names, func(name string) bool { return len(name)%4 != 0 })
	}
	for _, name := range names {
		fields := combinations[name]
		t.Run(name, func(t *testing.T) {
			h := fnv.New64()
			h.Write([]byte(name))
			f := newFamily(t, fields, rand.New(rand.NewPCG(h.Sum64(), uint64(rounds))))
			defer f.close()
			for range rounds {
				f.happen()
				f.evaluate()
			}
		})
	}
}

// newFamily returns five twins of a model with the given features.
func newFamily(t *testing.T, fields string, r *rand.Rand) *family {
	dir := t.TempDir()
	combined(t, dir, fields)
	file := convertAs(t, dir, pick(r, "Q8_0", "Q4_0", "F16", "F32"))
	open := func(threads int, caches ...mpt.Option) *mpt.Model {
		batch := pick(r, 1, 2, 7, 16, 48, 49, 96, 300, 600)
		return opened(t, file, append(caches, mpt.BatchSize(batch), mpt.Threads(threads), mpt.IgnoreMemory())...)
	}
	types := mpt.CacheTypes()
	k, v := mpt.CacheKeyType(pick(r, types...)), mpt.CacheValueType(pick(r, types...))
	f := &family{t: t, r: r, m: open(2, k, v), alone: open(1, k, v), size: 250}
	if f.m.Config().AlibiMax > 0 {
		f.size = 700
	}
	adapter := forgeAdapter(t, dir, false)
	for range 3 {
		a, err := f.m.LoadAdapter(adapter)
		if err != nil {
			break // it has none that fits
		}
		b, err := f.alone.LoadAdapter(adapter)
		f.must(err)
		f.adapters = append(f.adapters, [2]*mpt.Adapter{a, b})
	}
	for range 5 {
		s, err := f.m.NewSession(mpt.ContextSize(f.size))
		f.must(err)
		alone, err := f.alone.NewSession(mpt.ContextSize(f.size))
		f.must(err)
		f.twins = append(f.twins, &twin{s, alone})
	}
	return f
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func (f *family) must(errs ...error) {
	f.t.Helper()
	for _, err := range errs {
		if err != nil {
			f.t.Fatal(err)
		}
	}
}

func (f *family) close() {
	for _, x := range f.twins {
		x.s.Close()
		x.alone.Close()
	}
}

// happen does something to one of the twins.
func (f *family) happen() {
	x := pick(f.r, f.twins...)
	switch n := x.s.Len(); f.r.IntN(7) {
	case 0:
		k := f.r.IntN(n + 1)
		f.must(x.s.Truncate(k), x.alone.Truncate(k))
	case 1:
		if x.s.CanDrop() && n > 2 {
			from := f.r.IntN(n)
			to := from + f.r.IntN(n-from)
			f.must(x.s.Drop(from, to), x.alone.Drop(from, to))
		}
	case 2:
		s, err := x.s.Fork()
		f.must(err)
		alone, err := x.alone.Fork()
		f.must(err, alone.Unshare())
		f.twins = append(f.twins, &twin{s, alone})
	case 3:
		f.restore(x, pick(f.r, f.twins...))
	case 4:
		f.adapt(x)
	case 5:
		if len(f.twins) > 3 {
			x.s.Close()
			x.alone.Close()
			f.twins = slices.DeleteFunc(f.twins, func(y *twin) bool { return x == y })
		}
	}
}

// restore makes to what from is, if it has the same adapters.
func (f *family) restore(from, to *twin) {
	var b, c bytes.Buffer
	f.must(from.s.Save(&b), from.alone.Save(&c))
	logits := (from.s.Logits() == nil) == (from.alone.Logits() == nil)
	if logits && !bytes.Equal(b.Bytes(), c.Bytes()) {
		f.t.Error("other bytes are saved than alone")
	}
	if err := to.s.Restore(&b); err == nil {
		f.must(to.alone.Restore(&c))
	}
}

// adapt gives x some adapters, perhaps the same one twice, with any scales.
func (f *family) adapt(x *twin) {
	var uses, alone []mpt.AdapterUse
	for range f.r.IntN(1 + len(f.adapters)) {
		a, scale := pick(f.r, f.adapters...), float32(f.r.IntN(5)-2)/2
		uses, alone = append(uses, mpt.AdapterUse{Adapter: a[0], Scale: scale}), append(alone, mpt.AdapterUse{Adapter: a[1], Scale: scale})
	}
	f.must(x.s.SetAdapters(uses...), x.alone.SetAdapters(alone...))
}

// evaluate has all twins read something, together and alone.
func (f *family) evaluate() {
	steps := make([]mpt.Step, len(f.twins))
	rows := make([]map[int][]float32, len(f.twins))
	for i, x := range f.twins {
		ids := make([]int32, min(pick(f.r, 0, 1, 1, 2, 5, 33, 70, 140), f.size-x.s.Len()))
		for k := range ids {
			ids[k] = int32(f.r.IntN(f.m.Config().Vocab))
		}
		rows[i] = map[int][]float32{}
		steps[i] = mpt.Step{Session: x.s, IDs: ids, Logits: mpt.Wanted(f.r.IntN(3)), Visit: func(k int, logits []float32) error {
			rows[i][k] = slices.Clone(logits)
			return nil
		}}
	}
	f.must(f.m.Run(context.Background(), steps))
	for i := range steps {
		f.must(steps[i].Err)
		f.compare(f.twins[i], steps[i].IDs, rows[i])
	}
}

// compare evaluates alone what a twin has read, in pieces.
func (f *family) compare(x *twin, ids []int32, rows map[int][]float32) {
	f.t.Helper()
	for at := 0; at < len(ids); {
		n := min(1+f.r.IntN(60), len(ids)-at)
		f.must(x.alone.EvalAll(context.Background(), ids[at:at+n], func(k int, logits []float32) error {
			if got := rows[at+k]; got != nil && !sameBits(got, logits) {
				return fmt.Errorf("token %d of %d: other logits than alone", at+k, len(ids))
			}
			return nil
		}))
		at += n
	}
	if got := x.s.Logits(); got != nil && len(ids) > 0 && !sameBits(got, x.alone.Logits()) {
		f.t.Error("other last logits than alone")
	}
	if !slices.Equal(x.s.Tokens(), x.alone.Tokens()) {
		f.t.Error("other tokens than alone")
	}
}
