package sampling

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// Params says how tokens are chosen. Start from [DefaultParams] or [Parse]: the
// zero value is greedy, without any sampler.
type Params struct {
	Seed     uint64   // of the random generator
	Samplers []string // names in the order they are applied; mirostat leaves out those that drop candidates

	Temp      float32 // 1: as the model says; 0 or less: always the best candidate
	TopK      int     // 0 or less: off
	TopP      float32 // 1: off
	MinP      float32 // 0: off
	Typical   float32 // 1: off
	TopNSigma float32 // 0 or less: off

	RepeatLastN      int     // tokens the penalties look back at; 0: off, -1: all
	RepeatPenalty    float32 // 1: off
	FrequencyPenalty float32 // 0: off
	PresencePenalty  float32 // 0: off

	DRYMultiplier    float32  // 0: off
	DRYBase          float32  // at least 1
	DRYAllowedLength int      // repetitions that are shorter cost nothing
	DRYPenaltyLastN  int      // tokens DRY looks back at; 0: off, -1: all
	DRYBreakers      []string // texts that a repetition does not reach over

	XTCProbability float32 // 0: off
	XTCThreshold   float32 // above 0.5: off

	Mirostat    int     // 0: off, 2: Mirostat 2.0
	MirostatTau float32 // the surprise aimed at, in bits
	MirostatEta float32 // how fast the threshold moves

	LogitBias []Bias // at most one for a token
}

// DefaultParams returns llama.cpp's defaults, with seed 0.
func DefaultParams() Params {
	return Params{
		Samplers:         stepNames(),
		Temp:             0.8,
		TopK:             40,
		TopP:             0.95,
		MinP:             0.05,
		Typical:          1,
		TopNSigma:        -1,
		RepeatLastN:      64,
		RepeatPenalty:    1,
		DRYBase:          1.75,
		DRYAllowedLength: 2,
		DRYPenaltyLastN:  -1,
		DRYBreakers:      []string{"\n", ":", "\"", "*"},
		XTCThreshold:     0.1,
		MirostatTau:      5,
		MirostatEta:      0.1,
	}
}

// maxBreaker is the longest sequence breaker, in bytes.
const maxBreaker = 40

// limits holds the range of every number that has one; the bounds are allowed.
var limits = []struct {
	name     string
	value    func(p *Params) float64
	min, max float64
}{
	{"temp", func(p *Params) float64 { return float64(p.Temp) }, -math.MaxFloat32, math.MaxFloat32},
	{"top_p", func(p *Params) float64 { return float64(p.TopP) }, 0, math.MaxFloat32},
	{"min_p", func(p *Params) float64 { return float64(p.MinP) }, -math.MaxFloat32, 1},
	{"typical", func(p *Params) float64 { return float64(p.Typical) }, 0, math.MaxFloat32},
	{"top_nsigma", func(p *Params) float64 { return float64(p.TopNSigma) }, -math.MaxFloat32, math.MaxFloat32},
	{"repeat_last_n", func(p *Params) float64 { return float64(p.RepeatLastN) }, -1, math.MaxInt32},
	{"repeat_penalty", func(p *Params) float64 { return float64(p.RepeatPenalty) }, math.SmallestNonzeroFloat32, math.MaxFloat32},
	{"frequency_penalty", func(p *Params) float64 { return float64(p.FrequencyPenalty) }, -math.MaxFloat32, math.MaxFloat32},
	{"presence_penalty", func(p *Params) float64 { return float64(p.PresencePenalty) }, -math.MaxFloat32, math.MaxFloat32},
	{"dry_multiplier", func(p *Params) float64 { return float64(p.DRYMultiplier) }, 0, math.MaxFloat32},
	{"dry_base", func(p *Params) float64 { return float64(p.DRYBase) }, 1, math.MaxFloat32},
	{"dry_allowed_length", func(p *Params) float64 { return float64(p.DRYAllowedLength) }, 0, math.MaxInt32},
	{"dry_penalty_last_n", func(p *Params) float64 { return float64(p.DRYPenaltyLastN) }, -1, math.MaxInt32},
	{"xtc_probability", func(p *Params) float64 { return float64(p.XTCProbability) }, 0, 1},
	{"xtc_threshold", func(p *Params) float64 { return float64(p.XTCThreshold) }, 0, 1},
	{"mirostat_ent", func(p *Params) float64 { return float64(p.MirostatTau) }, 0, math.MaxFloat32},
	{"mirostat_lr", func(p *Params) float64 { return float64(p.MirostatEta) }, 0, math.MaxFloat32},
}

// Validate reports the first parameter that makes no sense.
func (p Params) Validate() error {
	for _, l := range limits {
		// Settings of a sampler that is switched off may be left at zero.
		if l.name == "repeat_penalty" && p.RepeatLastN == 0 || l.name == "dry_base" && p.DRYMultiplier == 0 {
			continue
		}
		if v := l.value(&p); !(v >= l.min && v <= l.max) {
			return fmt.Errorf("sampling: %s is %v: want %s", l.name, v, interval(l.min, l.max))
		}
	}
	if p.Mirostat != 0 && p.Mirostat != 2 {
		return fmt.Errorf("sampling: mirostat is %d: only version 2 is supported, 0 switches it off", p.Mirostat)
	}
	if err := validateSamplers(p.Samplers); err != nil {
		return err
	}
	for _, b := range p.DRYBreakers {
		if b == "" || len(b) > maxBreaker || !utf8.ValidString(b) {
			return fmt.Errorf("sampling: dry_sequence_breaker %q has %d bytes: want 1 to %d of UTF-8",
				b, len(b), maxBreaker)
		}
	}
	return validateBiases(p.LogitBias)
}

// interval describes a range; the largest values stand for no bound.
func interval(lo, hi float64) string {
	switch {
	case lo == math.SmallestNonzeroFloat32:
		return "a number above 0"
	case lo == -math.MaxFloat32 && hi == math.MaxFloat32:
		return "a finite number"
	case lo == -math.MaxFloat32:
		return fmt.Sprintf("at most %v", hi)
	case hi >= math.MaxInt32:
		return fmt.Sprintf("at least %v", lo)
	}
	return fmt.Sprintf("%v to %v", lo, hi)
}

func validateSamplers(names []string) error {
	seen := map[*step]bool{}
	for _, name := range names {
		s := stepNamed(name)
		if s == nil {
			return fmt.Errorf("sampling: unknown sampler %q: known are %s", name, strings.Join(stepNames(), ", "))
		}
		if seen[s] {
			return fmt.Errorf("sampling: the sampler %s is named twice", s.name)
		}
		seen[s] = true
	}
	return nil
}

func validateBiases(biases []Bias) error {
	seen := map[int32]bool{}
	for _, b := range biases {
		switch {
		case b.ID < 0:
			return fmt.Errorf("sampling: logit_bias: there is no token %d", b.ID)
		case !(b.Value <= math.MaxFloat32):
			return fmt.Errorf("sampling: logit_bias of token %d is %v: want a finite number or -inf", b.ID, b.Value)
		case seen[b.ID]:
			return fmt.Errorf("sampling: logit_bias: token %d is named twice", b.ID)
		}
		seen[b.ID] = true
	}
	return nil
}

// clone returns a copy that shares no slices with p.
func (p Params) clone() Params {
	p.Samplers = slices.Clone(p.Samplers)
	p.DRYBreakers = slices.Clone(p.DRYBreakers)
	p.LogitBias = slices.Clone(p.LogitBias)
	return p
}
