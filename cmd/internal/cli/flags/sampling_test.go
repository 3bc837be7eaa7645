package flags

import (
	"testing"

	"github.com/spf13/pflag"

	"mptgo/sampling"
)

func TestSamplingFlags(t *testing.T) {
	parse := func(args ...string) (*Sampling, *pflag.FlagSet, error) {
		f, fs := &Sampling{}, pflag.NewFlagSet("test", pflag.ContinueOnError)
		f.Add(fs)
		return f, fs, fs.Parse(args)
	}
	f, fs, err := parse("--temp", "0.5", "--top-k=7", "--logit-bias", "1+2", "--logit-bias", "3-inf",
		"--dry-sequence-breaker", "a", "--dry-sequence-breaker", "b", "--seed", "9")
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.Params(fs)
	if err != nil {
		t.Fatal(err)
	}
	want := `seed=9,temp=0.5,top_k=7,dry_sequence_breaker=["a","b"],logit_bias=1+2;3-Inf`
	if p.String() != want {
		t.Errorf("got %s, want %s", p, want)
	}
	if !f.FixedSeed(fs) {
		t.Error("the seed is not fixed")
	}

	// Without a seed, or with -1, there is a new one in every run.
	for _, args := range [][]string{nil, {"-s", "-1"}, {"-s", "4", "-s", "-1"}} {
		f, fs, err := parse(args...)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := f.Params(fs)
		b, _ := f.Params(fs)
		if f.FixedSeed(fs) || a.Seed == b.Seed {
			t.Errorf("%q: seeds %d, %d", args, a.Seed, b.Seed)
		}
	}
	if _, _, err := parse("--temp", "warm"); err == nil {
		t.Error("a temperature that is not a number is accepted")
	}

	// Every parameter has its flag.
	for _, o := range sampling.Options() {
		if fs.Lookup(SamplingName(o)) == nil {
			t.Errorf("no flag for %s", o.Name)
		}
	}
}

func TestUnescape(t *testing.T) {
	if got, want := Unescape(`a\nb\tc\\nd\"e\'f\x41\x4g\xg1\q\x4`), "a\nb\tc\\nd\"e'fA\\x4g\\xg1\\q\\x4"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
