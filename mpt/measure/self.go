package measure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"mptgo/gguf"
	"mptgo/internal/newfile"
	"mptgo/mpt"
	"mptgo/mpt/convert"
	"mptgo/mpt/lora"
	"mptgo/quantize"
	"mptgo/quantize/recipes"
)

// Self says whether a model is quantised with self-calibration: an importance matrix of
// text that it generates.
type Self int

const (
	SelfAuto   Self = iota // for types that gain from it
	SelfAlways             // or an error
	SelfNever
)

// selfLength is how many tokens the texts have that a model writes for a quantisation. Shorter
// ones are no better, and from 64 on worse (bench/results/2026-11-30-zen5-self.md).
const selfLength = 512

// How many texts a model writes: the fewest, or as many as it takes for so many weights, up to the
// most. With more tokens the divergence is less, and time grows with them; a small model has that
// time. It depends on the model alone, so that its file does not depend on the machine.
const (
	fewestTexts = 8
	mostTexts   = 32
	textWeights = 1 << 32
)

// textsOf returns how many texts a model with so many parameters writes.
func textsOf(parameters int64) int {
	n := mostTexts
	for n > fewestTexts && parameters > textWeights/int64(n) {
		n /= 2
	}
	return n
}

// SelfDataset names, in an importance matrix, the text that the model has written itself.
const SelfDataset = "written by the model itself"

// Why [SelfAlways] is refused.
var (
	ErrHasProducts = errors.New("the importance matrix has the input correlations already, which self-calibration would record")
	ErrReference   = errors.New("the reference search does not use what self-calibration would record")
	ErrNoBlocks    = errors.New("self-calibration is asked for, and there is nothing to quantise")
)

// SelfOptions are the choices of [Quantize] beside those of converting.
type SelfOptions struct {
	Self Self
	// Allocate says whether a model that calibrates itself also measures what errors of its matrices cost,
	// so that each gets a type by that and the file is no larger than the recipe's.
	Allocate Self
	// Started, if set, is called at first, with the number of the model's parameters.
	Started func(parameters int64)
	// Progress, if set, is told how many MiB of the model are "prepared", how many tokens are
	// "written" and how many matrices "measured" for the sake of types. Then [convert.Options] has a
	// Progress.
	Progress func(what string, done, total int)
}

// Quantize converts the model at src, a checkpoint or a GGUF file, to the file dst as
// [convert.Convert] does. Meanwhile the model may measure which of its weights matter:
// what an importance matrix in opt does not tell, or all. A model that cannot do that is
// quantised without, unless it is asked for; opt.Logf says so.
func Quantize(ctx context.Context, src, dst string, opt convert.Options, self SelfOptions) (*convert.Summary, error) {
	source, wanted, err := wantsSelf(src, &opt, self.Self)
	if err != nil {
		return nil, err
	}
	if wanted && canWrite(src, dst, opt.Force) {
		s, err := calibrated(ctx, src, dst, source, opt, self)
		if err == nil || self.Self == SelfAlways || ctx.Err() != nil || !errors.Is(err, errCalibration) {
			return s, err
		}
		if opt.Logf != nil {
			opt.Logf("quantised without self-calibration: %v", err)
		}
	}
	return convert.Convert(ctx, src, dst, opt)
}

// wantsSelf reports whether src is to measure its own importance matrix.
func wantsSelf(src string, opt *convert.Options, self Self) (s convert.Source, wanted bool, err error) {
	if self == SelfAlways {
		err = SelfConflict(src, opt)
	}
	if err != nil || self == SelfNever || hasProducts(opt) || lora.IsFolder(src) {
		return s, false, err
	}
	s, err = convert.Examine(src)
	if err != nil || s.Exact == "" && !opt.AllowRequantize {
		return s, false, nil // converting it says why
	}
	return s, self == SelfAlways || s.Exact != "" && gains(opt), nil
}

// SelfConflict returns [ErrHasProducts], [ErrReference] or [ErrNoBlocks] if [SelfAlways]
// contradicts the other choices.
func SelfConflict(src string, opt *convert.Options) error {
	switch {
	case hasProducts(opt):
		return ErrHasProducts
	case opt.Search == quantize.SearchReference:
		return ErrReference
	case lora.IsFolder(src) || !quantizes(opt):
		return ErrNoBlocks
	}
	return nil
}

// hasProducts reports whether an importance matrix is given that tells everything.
func hasProducts(opt *convert.Options) bool { return opt.Imatrix != nil && opt.Imatrix.HasProducts() }

// quantizes reports whether the type has blocks.
func quantizes(opt *convert.Options) bool {
	if strings.EqualFold(opt.Type, convert.Copy) {
		return false
	}
	r, err := recipes.Parse(opt.Type)
	if err != nil {
		return true // bits, or what converting refuses
	}
	n, _ := r.Base.Block()
	return n > 1
}

// gains reports whether the type is one that is searched for with what is known of the
// columns, unless other bytes are asked for.
func gains(opt *convert.Options) bool {
	r, err := recipes.Parse(opt.Type)
	if err != nil {
		return opt.TargetBPW > 0 && opt.Type == "" && opt.Search != quantize.SearchReference
	}
	return quantizes(opt) && r.Base != gguf.TQ1_0 && r.Base != gguf.TQ2_0 && r.Search(opt.Search) == quantize.SearchBetter
}

// canWrite reports whether there is a place for dst, so that nothing is measured for a
// conversion that will be refused.
func canWrite(src, dst string, force bool) bool {
	if newfile.Writable(dst) != nil || newfile.Same(src, dst) {
		return false
	}
	_, err := os.Lstat(dst)
	return force || err != nil
}

// calibrated converts src to dst with what the model measures. An error of measuring
// is an [errCalibration].
func calibrated(ctx context.Context, src, dst string, s convert.Source, opt convert.Options, self SelfOptions) (*convert.Summary, error) {
	if self.Started != nil {
		self.Started(s.Parameters)
	}
	if self.Progress == nil {
		self.Progress = func(string, int, int) {}
	}
	a, err := openAside(ctx, src, dst, s, opt, self.Progress)
	if err != nil {
		return nil, fmt.Errorf("measure: %w of %s: %w", errCalibration, src, err)
	}
	defer a.close()
	c, err := startCalibration(ctx, a.m, s, &opt, self.allocates(&opt), self.Progress)
	if err != nil {
		return nil, fmt.Errorf("measure: %w of %s: %w", errCalibration, src, a.explain(err))
	}
	defer c.close()
	opt.Inputs = c
	sum, err := convert.Convert(ctx, src, dst, opt)
	return sum, a.explain(err)
}

// startCalibration has a model write the texts that it is measured with.
func startCalibration(ctx context.Context, m *mpt.Model, s convert.Source, opt *convert.Options, allocate bool, progress func(string, int, int)) (*calibration, error) {
	length := min(selfLength, m.Config().Context)
	texts, err := write(ctx, m, 0, textsOf(s.Parameters)*selfLength/length, length, 1, func(done, total int) { progress("written", done, total) })
	if err != nil {
		return nil, err
	}
	c, err := newCalibration(ctx, m, texts, length, opt.Imatrix)
	if err != nil {
		return nil, err
	}
	if allocate {
		if err = c.allocate(texts, length, opt, progress); err != nil {
			c.close()
			return nil, err
		}
	}
	if opt.Imatrix == nil {
		opt.Imatrix, opt.ImatrixFile = c.promised(), SelfDataset
		opt.Imatrix.Chunks = len(texts)
	}
	return c, nil
}
