package sampling

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

var inf = float32(math.Inf(1))

// sorted is the plain definition of the order.
func sorted(logits []float32) []Candidate {
	list := make([]Candidate, len(logits))
	for id, l := range logits {
		list[id] = Candidate{ID: int32(id), Logit: l}
	}
	slices.SortStableFunc(list, func(a, b Candidate) int {
		switch {
		case a.Logit > b.Logit:
			return -1
		case a.Logit < b.Logit:
			return 1
		}
		return 0
	})
	return list
}

// someLogits returns n logits with many ties if few is set.
func someLogits(r *rand.Rand, n int, few bool) []float32 {
	l := make([]float32, n)
	for i := range l {
		l[i] = float32(r.NormFloat64() * 4)
		if few {
			l[i] = float32(r.IntN(5))
		}
	}
	return l
}

func TestKeep(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var c candidates
	for range 300 {
		n := 1 + r.IntN(400)
		logits := someLogits(r, n, r.IntN(2) == 0)
		k := 1 + r.IntN(n)
		want := sorted(logits)[:k]
		for _, list := range []bool{false, true} {
			if err := c.load(logits); err != nil {
				t.Fatal(err)
			}
			if list {
				items := c.items()
				r.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
			}
			c.keep(k)
			if !slices.Equal(c.list, want) {
				t.Fatalf("the best %d of %v (list %v): got %v, want %v", k, logits, list, c.list, want)
			}
		}
	}
}

func TestBest(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var c candidates
	for _, n := range []int{1, 2, 63, 64, 65, 300, 2000} {
		logits := someLogits(r, n, true)
		if err := c.load(logits); err != nil {
			t.Fatal(err)
		}
		if got, want := c.top(), sorted(logits)[0]; got != want {
			t.Fatalf("%d logits: top is %v, want %v", n, got, want)
		}
		for i, want := range sorted(logits) {
			if got := *c.best(i); got != want {
				t.Fatalf("%d logits: best(%d) is %v, want %v", n, i, got, want)
			}
		}
	}
}

func TestWithin(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var c candidates
	for range 200 {
		logits := someLogits(r, 1+r.IntN(200), false)
		d := r.Float64() * 6
		all := sorted(logits)
		n := 0
		for n < len(all) && float64(all[0].Logit)-float64(all[n].Logit) <= d {
			n++
		}
		for ranked := range 3 {
			if err := c.load(logits); err != nil {
				t.Fatal(err)
			}
			if ranked > 0 {
				c.best((ranked - 1) * (len(all) - 1))
			}
			c.within(d)
			if before := slices.Clone(c.list[:c.ranked]); !slices.Equal(before, all[:c.ranked]) {
				t.Fatalf("the ranked part is %v, want %v", before, all[:c.ranked])
			}
			got := slices.Clone(c.list)
			slices.SortFunc(got, rank)
			if !slices.Equal(got, all[:n]) {
				t.Fatalf("within %v: got %v, want %v", d, got, all[:n])
			}
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		logits []float32
		want   string
	}{
		{nil, "there are no logits"},
		{[]float32{1, nan, 2}, "token 1 is NaN"},
		{[]float32{1, 2, inf}, "token 2 is +Inf"},
	} {
		var b candidates
		if err := b.load(c.logits); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("load(%v): got %v, want an error with %q", c.logits, err, c.want)
		}
	}
}

func TestSoftmax(t *testing.T) {
	for _, c := range []struct {
		name   string
		logits []float32
		want   []float32
	}{
		{"one", []float32{-3}, []float32{1}},
		{"equal", []float32{2, 2, 2, 2}, []float32{.25, .25, .25, .25}},
		{"impossible", []float32{0, -inf, 0}, []float32{.5, 0, .5}},
		{"all impossible", []float32{-inf, -inf}, []float32{.5, .5}},
		{"overflown", []float32{inf, 5, inf}, []float32{.5, 0, .5}},
		{"far apart", []float32{math.MaxFloat32, -math.MaxFloat32}, []float32{1, 0}},
	} {
		var b candidates
		b.logits, b.plain = c.logits, true
		b.softmax()
		for i, x := range b.list {
			if x.P != c.want[i] {
				t.Errorf("%s: P of %v is %v, want %v", c.name, x.Logit, x.P, c.want[i])
			}
		}
	}
}
