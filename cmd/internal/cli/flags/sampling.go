package flags

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/spf13/pflag"

	"mptgo/mpt/tokenizer"
	"mptgo/sampling"
)

// Sampling are the flags that say how tokens are chosen: one for each of
// [sampling.Options].
type Sampling struct {
	Values sampling.Params
}

// Add adds the flags.
func (f *Sampling) Add(fs *pflag.FlagSet) {
	f.Values = sampling.DefaultParams()
	for _, o := range sampling.Options() {
		v := &samplingFlag{o: o, p: &f.Values}
		short, usage := "", o.Usage
		if o.Name == "seed" {
			short, usage, v.random = "s", usage+"; -1: a random one (the default)", true
		}
		fs.VarP(v, SamplingName(o), short, usage)
	}
}

// SamplingName returns the name of the flag for a parameter.
func SamplingName(o sampling.Option) string { return strings.ReplaceAll(o.Name, "_", "-") }

// Params returns what the flags say.
func (f *Sampling) Params(fs *pflag.FlagSet) (sampling.Params, error) {
	if !f.FixedSeed(fs) {
		f.Values.Seed = RandomSeed()
	}
	return f.Values, f.Values.Validate()
}

// FixedSeed reports whether the user chose a seed.
func (f *Sampling) FixedSeed(fs *pflag.FlagSet) bool {
	v, ok := fs.Lookup("seed").Value.(*samplingFlag)
	return ok && !v.random
}

// RandomSeed returns a seed that is short enough to be typed in again.
func RandomSeed() uint64 { return uint64(rand.Uint32()) }

// samplingFlag is the flag of one parameter.
type samplingFlag struct {
	o      sampling.Option
	p      *sampling.Params
	given  bool
	random bool // a seed that was not chosen
}

func (f *samplingFlag) Type() string { return "VALUE" }

func (f *samplingFlag) String() string {
	if f.p == nil || f.random {
		return "" // pflag asks a zero value for the default to hide
	}
	return f.o.Get(f.p)
}

// Set changes the parameter. Given again, a list grows; any other value is
// replaced.
func (f *samplingFlag) Set(s string) error {
	before := *f.p
	if f.random = f.o.Name == "seed" && s == "-1"; f.random {
		return nil
	}
	if err := f.p.Set(f.o.Name, s); err != nil {
		return err
	}
	if f.given {
		switch f.o.Name {
		case "logit_bias":
			f.p.LogitBias = append(before.LogitBias, f.p.LogitBias...)
		case "dry_sequence_breaker":
			f.p.DRYBreakers = append(before.DRYBreakers, f.p.DRYBreakers...)
		}
	}
	f.given = true
	return nil
}

// NewChain returns a chain for p, whose tokens must be those of tok.
func NewChain(p sampling.Params, tok *tokenizer.Tokenizer) (*sampling.Chain, error) {
	for _, b := range p.LogitBias {
		if int(b.ID) >= tok.Size() {
			return nil, fmt.Errorf("sampling: logit_bias: there is no token %d: the vocabulary has %d",
				b.ID, tok.Size())
		}
	}
	return sampling.New(p, tok)
}
