package sampling

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// stepCase switches a sampler on and says what it then does.
type stepCase struct {
	set    func(p *Params)
	oracle func(p *Params, list []ref, past []int32) []ref
}

// stepCases has an entry for every row of steps, or a test fails.
var stepCases = map[string][]stepCase{
	"top_k": {
		{func(p *Params) { p.TopK = 1 }, refTopK},
		{func(p *Params) { p.TopK = 7 }, refTopK},
		{func(p *Params) { p.TopK = 1_000_000 }, refTopK},
	},
	"top_p": {
		{func(p *Params) { p.TopP = 0 }, refTopP},
		{func(p *Params) { p.TopP = 0.3 }, refTopP},
		{func(p *Params) { p.TopP = 0.95 }, refTopP},
	},
	"min_p": {
		{func(p *Params) { p.MinP = 1 }, refMinP},
		{func(p *Params) { p.MinP = 0.05 }, refMinP},
		{func(p *Params) { p.MinP = 1e-30 }, refMinP},
	},
	"typ_p": {
		{func(p *Params) { p.Typical = 0 }, refTypical},
		{func(p *Params) { p.Typical = 0.2 }, refTypical},
		{func(p *Params) { p.Typical = 0.9 }, refTypical},
	},
	"top_n_sigma": {
		{func(p *Params) { p.TopNSigma = 0.5 }, refTopNSigma},
		{func(p *Params) { p.TopNSigma = 2 }, refTopNSigma},
	},
	"xtc": {
		{func(p *Params) { p.XTCProbability, p.XTCThreshold = 1, 0.1 }, refXTC},
		{func(p *Params) { p.XTCProbability, p.XTCThreshold = 1, 0.003 }, refXTC},
		{func(p *Params) { p.XTCProbability, p.XTCThreshold = 1, 0.5 }, refXTC},
	},
	"temperature": {
		{func(p *Params) { p.Temp = 0.5 }, refTemperature},
		{func(p *Params) { p.Temp = 3 }, refTemperature},
	},
	"penalties": {
		{func(p *Params) { p.RepeatPenalty = 1.3 }, refPenalties},
		{func(p *Params) { p.RepeatPenalty, p.RepeatLastN = 0.8, -1 }, refPenalties},
		{func(p *Params) { p.FrequencyPenalty, p.PresencePenalty, p.RepeatLastN = 0.5, -0.25, 20 }, refPenalties},
	},
	"dry": {
		{func(p *Params) { p.DRYMultiplier, p.DRYBreakers = 0.8, nil }, refDRY},
		{func(p *Params) { p.DRYMultiplier, p.DRYBreakers, p.DRYPenaltyLastN = 2, nil, 17 }, refDRY},
		{func(p *Params) { p.DRYMultiplier, p.DRYBreakers, p.DRYAllowedLength = 0.5, nil, 1 }, refDRY},
	},
}

// stepOff has values at which a sampler does nothing.
var stepOff = map[string][]func(p *Params){
	"top_k":       {func(p *Params) { p.TopK = 0 }, func(p *Params) { p.TopK = -1 }},
	"top_p":       {func(p *Params) { p.TopP = 1 }, func(p *Params) { p.TopP = 1.5 }},
	"min_p":       {func(p *Params) { p.MinP = 0 }},
	"typ_p":       {func(p *Params) { p.Typical = 1 }},
	"top_n_sigma": {func(p *Params) { p.TopNSigma = 0 }, func(p *Params) { p.TopNSigma = -1 }},
	"xtc":         {func(p *Params) { p.XTCProbability = 0 }, func(p *Params) { p.XTCProbability, p.XTCThreshold = 1, 0.51 }},
	"temperature": {func(p *Params) { p.Temp = 1 }, func(p *Params) { p.Temp = 0 }},
	"penalties":   {func(p *Params) { p.RepeatPenalty = 1 }, func(p *Params) { p.RepeatPenalty, p.RepeatLastN = 2, 0 }},
	"dry":         {func(p *Params) { p.DRYMultiplier = 0 }, func(p *Params) { p.DRYMultiplier, p.DRYPenaltyLastN = 1, 0 }},
}

// inputs returns logits that samplers have to cope with.
func inputs() map[string][]float32 {
	r := rand.New(rand.NewPCG(7, 8))
	in := map[string][]float32{
		"one":            {3},
		"two":            {-1, 2},
		"equal":          make([]float32, 31),
		"banned":         {1, -inf, 3, -inf, 2.5, -inf},
		"one possible":   {-inf, -inf, 0.5, -inf},
		"far":            {3e38, -3e38, 0},
		"peaked":         {0, 0, 30, 0, 0},
		"negative zeros": {0, float32(math.Copysign(0, -1)), -1, 0},
	}
	for _, n := range []int{3, 40, 500} {
		in[fmt.Sprint(n)] = someLogits(r, n, false)
	}
	return in
}

// layouts are the forms in which candidates reach a sampler.
var layouts = map[string]func(c *candidates){
	"plain": func(c *candidates) {},
	"list":  func(c *candidates) { c.items() },
	"shuffled": func(c *candidates) {
		list := c.items()
		rand.New(rand.NewPCG(9, 9)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	},
	"ranked":        func(c *candidates) { c.keep(c.len()) },
	"partly ranked": func(c *candidates) { c.best(0) },
}

func TestStepsAgainstOracle(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	past := make([]int32, 90)
	for i := range past {
		past[i] = int32(r.IntN(4))
	}
	for _, row := range steps {
		if len(stepCases[row.name]) == 0 {
			t.Errorf("sampler %s has no case here", row.name)
		}
		for n, k := range stepCases[row.name] {
			p := DefaultParams()
			k.set(&p)
			s, err := row.make(&p, nil)
			if err != nil || s == nil {
				t.Fatalf("%s: case %d does not switch it on (error %v)", row.name, n, err)
			}
			for in, logits := range inputs() {
				list := make([]ref, len(logits))
				for i, l := range logits {
					list[i] = ref{id: int32(i), logit: float64(l)}
				}
				want := shares(k.oracle(&p, list, past))
				for layout, arrange := range layouts {
					t.Run(fmt.Sprintf("%s/%d/%s/%s", row.name, n, in, layout), func(t *testing.T) {
						checkStep(t, s, logits, arrange, past, want)
					})
				}
			}
		}
	}
}

func checkStep(t *testing.T, s sampler, logits []float32, arrange func(*candidates), past []int32, want []ref) {
	var c candidates
	if err := c.load(logits); err != nil {
		t.Fatal(err)
	}
	arrange(&c)
	m := newMemory(-1, 1, 10)
	m.history = past
	s.apply(&c, &m)
	if c.len() != len(want) {
		t.Fatalf("%d candidates are left, want %d", c.len(), len(want))
	}
	c.softmax()
	for i, w := range want {
		got := *c.best(i)
		off := math.Abs(float64(got.Logit) - w.logit)
		if got.ID != w.id && (off == 0 || off > 1e-5) { // rounding to float32 may swap neighbours
			t.Fatalf("number %d is token %d, want %d", i, got.ID, w.id)
		}
		if math.Abs(float64(got.P)-w.p) > 2e-6 {
			t.Fatalf("P of token %d is %v, want %v", got.ID, got.P, w.p)
		}
	}
}

func TestStepsOff(t *testing.T) {
	for _, row := range steps {
		if len(stepOff[row.name]) == 0 {
			t.Errorf("sampler %s has no case here", row.name)
		}
		for n, set := range stepOff[row.name] {
			p := DefaultParams()
			set(&p)
			if err := p.Validate(); err != nil {
				t.Errorf("%s, case %d: %v", row.name, n, err)
			}
			if s, err := row.make(&p, nil); s != nil || err != nil {
				t.Errorf("%s, case %d: got %v, %v, want nil", row.name, n, s, err)
			}
		}
	}
}

func TestStepFlags(t *testing.T) {
	for _, row := range steps {
		for n, k := range stepCases[row.name] {
			p := DefaultParams()
			k.set(&p)
			s, _ := row.make(&p, nil)
			for in, logits := range inputs() {
				var c candidates
				if err := c.load(logits); err != nil {
					t.Fatal(err)
				}
				best, before := c.top().ID, c.len()
				m := newMemory(-1, 1, 10)
				s.apply(&c, &m)
				if c.len() < before && !row.truncates {
					t.Errorf("%s, case %d, input %s: drops candidates without saying so", row.name, n, in)
				}
				if row.keepsBest && c.top().ID != best {
					t.Errorf("%s, case %d, input %s: loses the best candidate without saying so", row.name, n, in)
				}
			}
		}
	}
}

func TestStepNames(t *testing.T) {
	for i := range steps {
		for _, name := range append([]string{steps[i].name}, steps[i].also...) {
			if got := stepNamed(name); got != &steps[i] {
				t.Errorf("%q names %v", name, got)
			}
		}
	}
}

// TestEdges has cases where one more or one less would go unnoticed above.
func TestEdges(t *testing.T) {
	for _, c := range []struct {
		params string
		logits []float32
		want   []int32
	}{
		{"samplers=top_p,top_p=0.5", []float32{1, 1}, []int32{0}}, // the one that reaches p is the last
		{"samplers=top_p,top_p=0.5", []float32{1, 1, 1}, []int32{0, 1}},
		{"samplers=typ_p,typical=0.5", []float32{1, 1}, []int32{0, 1}}, // the one that passes p is the last
		{"samplers=min_p,min_p=1", []float32{1, 2, 2}, []int32{1, 2}},
		{"samplers=xtc,xtc_probability=1,xtc_threshold=0.5", []float32{1, 1}, []int32{1}},
		{"samplers=xtc,xtc_probability=1,xtc_threshold=0.4", []float32{9, 1}, []int32{0, 1}},
		{"samplers=top_n_sigma,top_nsigma=1", []float32{2, 0}, []int32{0}},
		{"samplers=top_n_sigma,top_nsigma=2", []float32{2, 0}, []int32{0, 1}},
		{"samplers=temp;top_k,temp=1e-45,top_k=2", []float32{1, 2, 3}, []int32{0, 2}}, // what overflows is not made alike
		{"samplers=temp,temp=1e-45", []float32{-1, -3, -2}, []int32{0, 1, 2}},
		// Division makes them equal, so that the lower id comes first.
		{"samplers=top_k;temp;top_n_sigma;xtc,top_k=2,temp=1.9,xtc_probability=1", []float32{1.9999998, 1.9999999}, []int32{1}},
	} {
		chain := mustChain(t, c.params)
		if _, err := chain.Sample(c.logits); err != nil {
			t.Fatal(err)
		}
		var got []int32
		for _, x := range chain.Candidates() {
			got = append(got, x.ID)
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s, logits %v: left are %v, want %v", c.params, c.logits, got, c.want)
		}
	}
}
