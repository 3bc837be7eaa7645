package flags

import (
	"fmt"

	"github.com/spf13/pflag"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/mpt"
)

// Speculation are the flags of speculation, those of llama.cpp.
type Speculation struct {
	kind     string
	max, min int
	model    string
	minP     float64
}

// The values of --spec-type.
const (
	specNone  = "none"
	specNGram = "ngram-simple"
)

// Add adds the flags.
func (f *Speculation) Add(fs *pflag.FlagSet) {
	kinds := "`" + specNGram + "|" + specNone + "`"
	fs.StringVar(&f.kind, "spec-type", specNGram, "guess tokens by what followed the same ones before, or not: "+kinds)
	fs.VarP((*cmdline.FileName)(&f.model), "model-draft", "",
		"guess tokens with a smaller model, a GGUF `FILE` with the same vocabulary (-md)")
	fs.IntVar(&f.max, "draft-max", mpt.DefaultDraftMax, "guess `N` tokens at a time at the most; 0: none")
	fs.IntVar(&f.min, "draft-min", 0, "do not try fewer than `N` guesses")
	fs.Float64Var(&f.minP, "draft-p-min", 0, "do not try what the draft model gives less than the probability `P`")
}

// Check refuses values that make no sense.
func (f *Speculation) Check() error {
	switch {
	case f.kind != specNone && f.kind != specNGram:
		return fmt.Errorf("--spec-type %q: want %s or %s", f.kind, specNGram, specNone)
	case f.max < 0 || f.max > mpt.MostDraft:
		return fmt.Errorf("--draft-max %d: want 0 to %d", f.max, mpt.MostDraft)
	case f.min < 0 || f.max > 0 && f.min > f.max:
		return fmt.Errorf("--draft-min %d: want 0 to %d, which is --draft-max", f.min, f.max)
	case !(f.minP >= 0 && f.minP <= 1):
		return fmt.Errorf("--draft-p-min %v: want a probability, 0 to 1", f.minP)
	}
	return nil
}

// Open returns what the flags say for a model, nil for no guesses, and what releases it. It is
// called before the model has sessions.
func (f *Speculation) Open(m *mpt.Model, flags *Model, sequences int) (spec *mpt.Speculation, release func(), err error) {
	if f.max == 0 || f.kind == specNone && f.model == "" {
		return nil, func() {}, nil
	}
	spec = &mpt.Speculation{Max: f.max, Min: f.min, NoLookup: f.kind == specNone}
	if f.model == "" {
		return spec, func() {}, nil
	}
	draft, err := flags.openDraft(f.model)
	if err != nil {
		return nil, nil, fmt.Errorf("--model-draft: %w", err)
	}
	spec.Drafter, err = mpt.NewDrafter(m, draft, mpt.DrafterOptions{Sequences: sequences, MinP: f.minP})
	if err != nil {
		draft.Close()
		return nil, nil, fmt.Errorf("--model-draft: %w", err)
	}
	return spec, func() {
		spec.Drafter.Close()
		draft.Close()
	}, nil
}
