package sampling

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"mptgo/internal/check"
)

func TestParse(t *testing.T) {
	d := DefaultParams
	with := func(change func(p *Params)) Params {
		p := d()
		change(&p)
		return p
	}
	for _, c := range []struct {
		in   string
		want Params
	}{
		{"", d()},
		{" , ,", d()},
		{"top_k=1,top_p=0.5 , temp = 0.7", with(func(p *Params) { p.TopK, p.TopP, p.Temp = 1, 0.5, 0.7 })},
		{"temperature=2,typ_p=0.5,tau=1,eta=2", with(func(p *Params) { p.Temp, p.Typical, p.MirostatTau, p.MirostatEta = 2, 0.5, 1, 2 })},
		{"repeat-last-n=-1", with(func(p *Params) { p.RepeatLastN = -1 })},
		{"samplers=top_k; temp", with(func(p *Params) { p.Samplers = []string{"top_k", "temp"} })},
		{"samplers=", with(func(p *Params) { p.Samplers = []string{} })},
		{"dry_sequence_breaker=none", with(func(p *Params) { p.DRYBreakers = []string{} })},
		{`dry_sequence_breaker=\n`, with(func(p *Params) { p.DRYBreakers = []string{"\n"} })},
		{`dry_sequence_breakers=["a,b","]","\"","\\"],top_k=3`, with(func(p *Params) { p.DRYBreakers, p.TopK = []string{"a,b", "]", `"`, `\`}, 3 })},
		{"logit_bias=5+1.5;7-inf;9-2e-3", with(func(p *Params) { p.LogitBias = []Bias{{5, 1.5}, {7, -inf}, {9, -2e-3}} })},
		{"seed=18446744073709551615", with(func(p *Params) { p.Seed = math.MaxUint64 })},
	} {
		got, err := Parse(c.in)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", c.in, got, err, c.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"topk=40", `unknown parameter "topk": known are seed, samplers, temp, top_k`},
		{"top_k", `"top_k": want NAME=VALUE`},
		{"top_k=many", `top_k: "many" is not a whole number`},
		{"top_k=1.5", "not a whole number"},
		{"top_k=99999999999", "not a whole number"},
		{"temp=hot", `temp: "hot" is not a number`},
		{"temp=NaN", "temp is NaN: want a finite number"},
		{"temp=1e39", "not a number"},
		{"temp=inf", "temp is +Inf"},
		{"top_p=-1", "top_p is -1: want at least 0"},
		{"min_p=2", "min_p is 2: want at most 1"},
		{"repeat_penalty=0", "repeat_penalty is 0: want a number above 0"},
		{"repeat_last_n=-2", "want at least -1"},
		{"dry_multiplier=1,dry_base=0.5", "dry_base is 0.5: want at least 1"},
		{"xtc_probability=1.5", "xtc_probability is 1.5: want 0 to 1"},
		{"mirostat=1", "only version 2 is supported"},
		{"samplers=top_k;top-k", "top_k is named twice"},
		{"samplers=infill", `unknown sampler "infill": known are penalties, dry`},
		{"seed=-1", "not a whole number from 0"},
		{"logit_bias=5", "TOKEN+BIAS"},
		{"logit_bias=x+1", "number of a token"},
		{"logit_bias=5+x", "does not end in a number"},
		{"logit_bias=5+inf", "want a finite number or -inf"},
		{"logit_bias=5+1;5+2", "token 5 is named twice"},
		{"dry_sequence_breaker=", "has 0 bytes"},
		{"dry_sequence_breaker=" + strings.Repeat("x", 41), "has 41 bytes: want 1 to 40"},
		{"dry_sequence_breaker=\x96", "UTF-8"},
		{`dry_sequence_breaker=["a"`, "not a JSON list"},
	} {
		if _, err := Parse(c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Parse(%q): got %v, want an error with %q", c.in, err, c.want)
		}
	}
}

func TestOptionsCoverParams(t *testing.T) {
	if n := reflect.TypeFor[Params]().NumField(); n != len(options) {
		t.Errorf("%d parameters have %d options", n, len(options))
	}
	names := map[string]bool{}
	for _, o := range Options() {
		for _, name := range append([]string{o.Name}, o.Also...) {
			if names[name] || strings.Contains(name, "-") {
				t.Errorf("option name %q is taken or has a hyphen", name)
			}
			names[name] = true
		}
		p := DefaultParams()
		if err := p.Set(o.Name, o.Get(&p)); err != nil {
			t.Error(err)
		}
		if d := DefaultParams(); p.String() != d.String() {
			t.Errorf("%s: setting the default changes it: %s", o.Name, p)
		}
	}
	for _, l := range limits {
		if !names[l.name] {
			t.Errorf("a limit is on %q, which is no option", l.name)
		}
	}
}

func TestZeroParams(t *testing.T) {
	c, err := New(Params{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if id, err := c.Sample([]float32{1, 3, 2}); err != nil || id != 1 {
		t.Errorf("got %v, %v, want token 1", id, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{everything, `dry_sequence_breaker=["\n",","],logit_bias=1+2;3-inf`, "samplers=typ;temp", "a=b", "top_k=,[\"]\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var p Params
		var err error
		check.Bounded(t, len(s), func() { p, err = Parse(s) })
		if err != nil {
			return
		}
		again, err := Parse(p.String())
		if err != nil {
			t.Fatalf("%q becomes %q, which is refused: %v", s, p, err)
		}
		if again.String() != p.String() {
			t.Fatalf("%q becomes %q becomes %q", s, p, again)
		}
	})
}
