package sampling

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mptgo/internal/check"
)

// mustChain returns a chain for parameters in text form, with words as its
// vocabulary.
func mustChain(t testing.TB, params string) *Chain {
	t.Helper()
	p, err := Parse(params)
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(p, words(nil))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// exactLogits returns n logits that are the same on every machine.
func exactLogits(r *rand.Rand, n int) []float32 {
	l := make([]float32, n)
	for i := range l {
		l[i] = float32(r.IntN(1<<20)+r.IntN(1<<20)+r.IntN(1<<20)-3<<19) / (1 << 18)
	}
	return l
}

// write lets c choose n tokens of a vocabulary of 2000.
func write(t testing.TB, c *Chain, n int) []int32 {
	t.Helper()
	r := rand.New(rand.NewPCG(21, 22))
	text := make([]int32, n)
	for i := range text {
		id, err := c.Sample(exactLogits(r, 2000))
		if err != nil {
			t.Fatal(err)
		}
		c.Accept(id)
		text[i] = id
	}
	return text
}

// goldens are texts that must not change from machine to machine, nor from one
// version to the next: seeds that people have noted down would lose their
// meaning.
var goldens = []struct {
	params string
	text   []int32
}{
	{"", []int32{1886, 1257, 41, 72, 1004, 300, 1613, 79, 1149, 1945, 1208, 1931}},
	{"seed=1", []int32{1270, 422, 1369, 376, 90, 219, 234, 1542, 784, 69, 1245, 910}},
	{"seed=18446744073709551615,temp=1.5,top_k=0,top_p=1,min_p=0", []int32{103, 933, 635, 1389, 1046, 1512, 1474, 473, 826, 60, 1080, 1354}},
	{"temp=0", []int32{269, 65, 100, 1664, 1302, 562, 1448, 721, 1092, 1326, 1906, 1733}},
	{"top_k=0,top_p=0.5,min_p=0,typical=0.7,top_nsigma=2", []int32{1909, 452, 866, 448, 156, 1295, 223, 1724, 667, 1948, 1281, 157}},
	{"top_k=100,repeat_penalty=1.2,freq=0.3,presence=0.1,xtc_probability=0.5,xtc_threshold=0.02", []int32{547, 1973, 665, 187, 98, 1308, 501, 498, 721, 124, 1167, 1461}},
	{"dry_multiplier=0.8,dry_allowed_length=1,dry_sequence_breaker=none,top_k=5", []int32{1313, 622, 924, 893, 1180, 1348, 1005, 1809, 1017, 1326, 278, 1653}},
	{"mirostat=2,temp=1", []int32{996, 1319, 1989, 1165, 1395, 562, 1586, 1504, 1456, 342, 1208, 1352}},
	{"samplers=temperature;min_p;penalties;top_k,repeat_penalty=0.9,logit_bias=7+3;8-inf,temp=2", []int32{1760, 1973, 1274, 938, 769, 669, 179, 203, 784, 1269, 1359, 896}},
}

func TestGoldens(t *testing.T) {
	for _, g := range goldens {
		if got := write(t, mustChain(t, g.params), 12); !slices.Equal(got, g.text) {
			t.Errorf("%q: got %s, want %v", g.params, strings.ReplaceAll(fmt.Sprint(got), " ", ", "), g.text)
		}
	}
}

func TestSampleLeavesLogits(t *testing.T) {
	logits := exactLogits(rand.New(rand.NewPCG(1, 1)), 500)
	before := slices.Clone(logits)
	for _, g := range goldens {
		if _, err := mustChain(t, g.params).Sample(logits); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(logits, before) {
			t.Fatalf("%q: Sample changed the logits", g.params)
		}
	}
}

func TestGreedy(t *testing.T) {
	for _, params := range []string{"temp=0", "temp=-1", "top_k=1", "temp=0,mirostat=2", "temp=0,samplers=top_k", "top_p=0", "min_p=1"} {
		c := mustChain(t, params)
		for _, k := range []struct {
			logits []float32
			want   int32
		}{
			{[]float32{1, 5, 2}, 1},
			{[]float32{-inf, -9, -inf}, 1},
			{[]float32{4, 0, -3}, 0},
		} {
			if got, err := c.Sample(k.logits); err != nil || got != k.want {
				t.Errorf("%s: Sample(%v) = %v, %v, want %v", params, k.logits, got, err, k.want)
			}
		}
	}
	for _, params := range []string{"temp=0", "top_k=1"} { // ties go to the lowest id
		if got, err := mustChain(t, params).Sample([]float32{0, 3, 3, 3}); err != nil || got != 1 {
			t.Errorf("%s: of equal logits Sample takes %v (%v), want 1", params, got, err)
		}
	}
}

// TestGreedyHeedsPenalties guards the short cut for temp=0, which may leave out
// only what cannot matter.
func TestGreedyHeedsPenalties(t *testing.T) {
	c := mustChain(t, "temp=0,samplers=top_k;penalties;temperature,top_k=2,presence=5")
	for _, want := range []int32{1, 2, 1} {
		got, err := c.Sample([]float32{0, 3, 2})
		if err != nil || got != want {
			t.Fatalf("Sample takes %v (%v), want %v", got, err, want)
		}
		c.Accept(got)
	}
}

func TestDistribution(t *testing.T) {
	c := mustChain(t, "temp=1,top_k=0,top_p=1,min_p=0,seed=5")
	logits := []float32{0, 1, 2, -inf, 1.5}
	const draws = 200_000
	var seen [5]float64
	for range draws {
		id, err := c.Sample(logits)
		if err != nil {
			t.Fatal(err)
		}
		seen[id]++
	}
	sum := 0.0
	for _, l := range logits {
		sum += math.Exp(float64(l))
	}
	for id, n := range seen {
		p := math.Exp(float64(logits[id])) / sum
		if deviation := math.Sqrt(draws * p * (1 - p)); math.Abs(n-draws*p) > 4*deviation {
			t.Errorf("token %d came %v times of %d, its probability is %.4f", id, n, draws, p)
		}
	}
	for _, x := range c.Candidates() {
		if p := math.Exp(float64(logits[x.ID])) / sum; math.Abs(float64(x.P)-p) > 1e-7 {
			t.Errorf("Candidates says %v of token %d, want %v", x.P, x.ID, p)
		}
	}
}

func TestDraw(t *testing.T) {
	list := []Candidate{{ID: 1, P: 0}, {ID: 2, P: .25}, {ID: 3, P: 0}, {ID: 4, P: .75}, {ID: 5, P: 0}}
	for _, c := range []struct {
		u    float64
		want int32
	}{{0, 2}, {.2499, 2}, {.25, 4}, {.5, 4}, {1 - 0x1p-53, 4}} {
		if got := draw(list, c.u); got.ID != c.want {
			t.Errorf("draw at %v: token %d, want %d", c.u, got.ID, c.want)
		}
	}
}

func TestMirostatHoldsSurprise(t *testing.T) {
	c := mustChain(t, "mirostat=2,mirostat_ent=3,temp=1,seed=2")
	r := rand.New(rand.NewPCG(1, 3))
	total := 0.0
	const n = 2000
	for range n {
		id, err := c.Sample(someLogits(r, 1000, false))
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range c.Candidates() {
			if x.ID == id {
				total -= math.Log2(float64(x.P))
			}
		}
	}
	if mean := total / n; math.Abs(mean-3) > 0.1 {
		t.Errorf("the mean surprise is %.3f bits, want 3", mean)
	}
}

func TestMirostatReplacesTruncation(t *testing.T) {
	c := mustChain(t, "mirostat=2,top_k=1,top_p=0.1,min_p=0.9,mirostat_ent=20,temp=1,presence=1")
	if _, err := c.Sample(make([]float32, 50)); err != nil {
		t.Fatal(err)
	}
	if got := len(c.Candidates()); got != 50 {
		t.Errorf("%d candidates are left, want all 50", got)
	}
	if len(c.steps) != 1 {
		t.Errorf("the chain has the steps %v, want penalties alone", c.steps)
	}
}

func TestXTCProbability(t *testing.T) {
	c := mustChain(t, "xtc_probability=0.3,xtc_threshold=0.1,temp=1,top_k=0,top_p=1,min_p=0")
	hit := 0
	for range 10_000 {
		if _, err := c.Sample([]float32{0, 0, -9}); err != nil {
			t.Fatal(err)
		}
		if len(c.Candidates()) == 2 {
			hit++
		}
	}
	if hit < 2800 || hit > 3200 {
		t.Errorf("XTC acted %d times of 10000, want about 3000", hit)
	}
}

func TestLogitBias(t *testing.T) {
	c := mustChain(t, "temp=0,logit_bias=1-inf;2+4;99+5")
	if got, err := c.Sample([]float32{3, 9, 0, 0}); err != nil || got != 2 {
		t.Errorf("got %v, %v, want token 2", got, err)
	}
}

func TestSampleErrors(t *testing.T) {
	for _, c := range []struct {
		params string
		logits []float32
		want   string
	}{
		{"", nil, "no logits"},
		{"", []float32{0, float32(math.NaN())}, "token 1 is NaN"},
		{"", []float32{-inf, -inf}, "all 2 logits are -Inf"},
		{"temp=0", []float32{-inf, -inf}, "all 2 logits are -Inf"},
		{"mirostat=2", []float32{-inf, -inf}, "all 2 logits are -Inf"},
		{"logit_bias=0-inf;1-inf", []float32{1, 2}, "every token is ruled out"},
		{"logit_bias=0-inf;1-inf,typical=0.5,top_nsigma=1,xtc_probability=1", []float32{1, 2}, "every token is ruled out"},
	} {
		if _, err := mustChain(t, c.params).Sample(c.logits); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q, %v: got %v, want an error with %q", c.params, c.logits, err, c.want)
		}
	}
}

const everything = "seed=3,repeat_penalty=1.1,freq=0.1,dry_multiplier=0.5,dry_sequence_breaker=none,typical=0.95,top_nsigma=4," +
	"xtc_probability=0.2,xtc_threshold=0.05"

func TestResetAndClone(t *testing.T) {
	c := mustChain(t, everything)
	first := write(t, c, 40)
	half := c.Clone()
	second := write(t, c, 40)
	if slices.Equal(first, second) {
		t.Error("the second half repeats the first: the chain forgets")
	}
	if got := write(t, half, 40); !slices.Equal(got, second) {
		t.Error("the clone went another way")
	}
	other := c.Clone()
	c.Accept(1)
	other.Accept(2)
	if got := c.memory.last(1)[0]; got != 1 {
		t.Errorf("the clone's token %d is in the history of the original", got)
	}
	c.Reset()
	if got := write(t, c, 40); !slices.Equal(got, first) {
		t.Error("after Reset the text is another one")
	}
}

func TestHistoryIsBounded(t *testing.T) {
	c := mustChain(t, "repeat_last_n=10,presence=1")
	for id := range int32(10_000) {
		c.Accept(id)
		want := make([]int32, 0, 10)
		for old := max(0, id-9); old <= id; old++ {
			want = append(want, old)
		}
		if got := c.memory.last(10); !slices.Equal(got, want) {
			t.Fatalf("after token %d the window is %v", id, got)
		}
	}
	if n := cap(c.memory.history); n > 200 {
		t.Errorf("room for %d tokens, though 10 are needed", n)
	}
}

func TestNoAllocation(t *testing.T) {
	const size = 50_000
	logits := exactLogits(rand.New(rand.NewPCG(5, 5)), size)
	for _, params := range []string{"", everything, "temp=0", "mirostat=2", "top_k=0,top_p=0.99", "top_k=0,typical=0.9,min_p=0"} {
		c := mustChain(t, params)
		step := func() {
			id, err := c.Sample(logits)
			if err != nil {
				t.Fatal(err)
			}
			c.Accept(id % 50)
		}
		for id := range int32(300) {
			c.Accept(id % 50)
		}
		for range 3 {
			step()
		}
		if n := testing.AllocsPerRun(10, step); n > 0 {
			t.Errorf("%q: %v allocations per token", params, n)
		}
	}
}

// FuzzSample looks for parameters and logits at which a chain breaks: it must
// return a possible token or an error.
func FuzzSample(f *testing.F) {
	f.Add(everything, []byte{1, 2, 3, 200, 255, 0, 0, 127})
	f.Add("mirostat=2,temp=1e-40,logit_bias=1-inf", []byte{9, 9, 9, 128})
	f.Add("repeat_penalty=1e-38,freq=3e38,presence=3e38,samplers=temp;penalties,temp=1e-45", []byte{254, 1, 253, 7})
	f.Add("dry_multiplier=3e38,dry_base=3e38,dry_allowed_length=0,dry_sequence_breaker=none", []byte{0, 255})
	f.Fuzz(func(t *testing.T, params string, data []byte) {
		p, err := Parse(params)
		if err != nil || len(data) > 1000 {
			return
		}
		check.Bounded(t, len(params)+len(data), func() { trySample(t, p, data) })
	})
}

// trySample makes a chain and chooses tokens by logits made of data.
func trySample(t *testing.T, p Params, data []byte) {
	c, err := New(p, words(nil))
	if err != nil {
		t.Fatalf("valid parameters are refused: %v", err)
	}
	special := [...]float32{0, -inf, math.MaxFloat32, -math.MaxFloat32, 1e-45}
	logits := make([]float32, len(data))
	for i, b := range data {
		logits[i] = float32(b)/16 - 8
		if n := int(b) - 250; n >= 0 && n < len(special) {
			logits[i] = special[n]
		}
	}
	for range 4 {
		id, err := c.Sample(logits)
		if err != nil {
			return
		}
		if id < 0 || int(id) >= len(logits) || math.IsInf(float64(logits[id]), -1) {
			t.Fatalf("token %d is not possible", id)
		}
		for _, x := range c.Candidates() {
			if !(x.P >= 0 && x.P <= 1) {
				t.Fatalf("token %d has the probability %v", x.ID, x.P)
			}
		}
		c.Accept(id)
	}
}

func BenchmarkSample(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 5))
	logits := someLogits(r, 50_432, false)
	for _, params := range []string{"samplers=top_k,top_k=40,temp=1", "top_k=40,top_p=0.95,temp=0.8", "temp=0", "top_k=0,top_p=0.95", "mirostat=2", everything} {
		b.Run("params="+params, func(b *testing.B) {
			c := mustChain(b, params)
			for range 64 {
				c.Accept(int32(r.IntN(1000)))
			}
			for b.Loop() {
				if _, err := c.Sample(logits); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
