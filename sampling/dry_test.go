package sampling

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// words is a vocabulary given as a list.
type words []string

func (w words) Size() int            { return len(w) }
func (w words) Text(id int32) string { return w[id] }

func TestUnbroken(t *testing.T) {
	vocab := words{"a", "b", "\n", "x:", ":y", "#", "##", "END", "E", "N", "D", "EN", "", "NE"}
	b, err := newBreakers([]string{"\n", ":", "##", "END"}, vocab)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		past string
		want int
	}{
		{"", 0},
		{"a b a", 3},
		{"a \n b a", 2},
		{"a b \n", 0},
		{"a x: b", 1},
		{":y a b", 2},
		{"a ## b b", 2},
		{"a # # b b b", 3},
		{"a # b", 3},
		{"a #", 2},
		{"END a", 1},
		{"E N D a b", 2},
		{"EN D a", 1},
		{"E NE a a", 4},
		{"EN E N D b", 1},
		{"E N b", 3},
		{"E  N D a", 1}, // the empty token in the middle is number 12
		{"# ## a", 1},
		{"\n a # #", 0},
	} {
		if got := b.unbroken(vocab.ids(c.past)); got != c.want {
			t.Errorf("%q: %d tokens after the last breaker, want %d", c.past, got, c.want)
		}
	}
	if got := b.unbroken([]int32{2, 7, -1, 1 << 30}); got != 2 {
		t.Errorf("tokens outside of the vocabulary: got %d, want 2", got)
	}
}

// ids looks up words separated by single spaces.
func (w words) ids(text string) []int32 {
	var ids []int32
	if text == "" {
		return ids
	}
	for word := range strings.SplitSeq(text, " ") {
		for id, x := range w {
			if x == word {
				ids = append(ids, int32(id))
			}
		}
	}
	return ids
}

func TestDRYPenalties(t *testing.T) {
	vocab := words{"a", "b", "c", "d", "\n", "y"}
	for _, c := range []struct {
		name, params, past string
		want               map[string]float64
	}{
		{"nothing repeats", "", "a b c d", map[string]float64{}},
		{"three tokens repeat", "", "a b c d a b c", map[string]float64{"d": 1.75}},
		{"the longest counts", "", "a b c c b c y a b c", map[string]float64{"c": 1.75, "y": 1}},
		{"too short", "dry_allowed_length=3", "a b c b c", map[string]float64{}},
		{"multiplier and base", "dry_multiplier=2,dry_base=3,dry_allowed_length=1", "a b c d a b c", map[string]float64{"d": 18}},
		{"a breaker ends it", "", "a b c d a \n b c", map[string]float64{"d": 1}},
		{"a breaker ends all of it", "", "a b c d a b \n c", map[string]float64{}},
		{"breakers may follow", "", "a b c \n a b c", map[string]float64{}},
		{"breakers are switched off", "dry_sequence_breaker=none", "a b c \n a b c", map[string]float64{"\n": 1.75}},
		{"a short memory", "dry_penalty_last_n=4", "a b c d a b c", map[string]float64{}},
		{"one token again and again", "", "a a a a", map[string]float64{"a": 1.75}},
	} {
		p, err := Parse("dry_multiplier=1,samplers=dry")
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range splitItems(c.params) {
			name, value, _ := strings.Cut(item, "=")
			if err := p.Set(name, value); err != nil {
				t.Fatal(err)
			}
		}
		chain, err := New(p, vocab)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range vocab.ids(c.past) {
			chain.Accept(id)
		}
		if _, err := chain.Sample(make([]float32, len(vocab))); err != nil {
			t.Fatal(err)
		}
		for _, x := range chain.Candidates() {
			if got, want := -float64(x.Logit), c.want[vocab[x.ID]]; math.Abs(got-want) > 1e-6 {
				t.Errorf("%s: %q costs %v, want %v", c.name, vocab[x.ID], got, want)
			}
		}
	}
}

// TestRepeats holds the Z-algorithm against the definition.
func TestRepeats(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	m := newMemory(-1, 0, 0)
	for range 2000 {
		past := make([]int32, 1+r.IntN(40))
		for i := range past {
			past[i] = int32(r.IntN(1 + r.IntN(4)))
		}
		least, limit := r.IntN(4), r.IntN(50)
		want := map[int32]int{}
		for at := 1; at < len(past); at++ {
			n := 0
			for n < at && n < limit && past[at-1-n] == past[len(past)-1-n] {
				n++
			}
			if n >= least {
				want[past[at]] = max(want[past[at]], n)
			}
		}
		m.repeats(past, least, limit)
		if len(m.counts) != len(want) {
			t.Fatalf("%v, %d to %d: got %v, want %v", past, least, limit, m.counts, want)
		}
		for id, n := range want {
			if m.counts[id] != n {
				t.Fatalf("%v, %d to %d: got %v, want %v", past, least, limit, m.counts, want)
			}
		}
	}
}

func TestDRYNeedsVocabulary(t *testing.T) {
	p := DefaultParams()
	p.DRYMultiplier = 1
	if _, err := New(p, nil); err == nil || !strings.Contains(err.Error(), "vocabulary") {
		t.Errorf("got %v, want an error that asks for a vocabulary", err)
	}
	p.DRYBreakers = nil
	if _, err := New(p, nil); err != nil {
		t.Error(err)
	}
}
