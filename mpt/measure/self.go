package measure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	c, done, err := openCalibration(ctx, src, dst, s, &opt, self.allocates(&opt), self.Progress)
	if err != nil {
		return nil, fmt.Errorf("measure: %w of %s: %w", errCalibration, src, err)
	}
	defer done()
	opt.Inputs = c
	return convert.Convert(ctx, src, dst, opt)
}

// openCalibration has a model write the texts that it is measured with. Done ends the calibration.
func openCalibration(ctx context.Context, src, dst string, s convert.Source, opt *convert.Options, allocate bool, progress func(string, int, int)) (c *calibration, done func(), err error) {
	m, done, err := openAside(ctx, src, dst, s, opt.Threads, progress)
	if err != nil {
		return nil, nil, err
	}
	closeModel := done
	defer func() {
		if err != nil {
			closeModel()
		}
	}()
	length := min(selfLength, m.Config().Context)
	texts, err := write(ctx, m, 0, textsOf(s.Parameters)*selfLength/length, length, 1, func(done, total int) { progress("written", done, total) })
	if err != nil {
		return nil, nil, err
	}
	c, err = newCalibration(ctx, m, texts, length, opt.Imatrix)
	if err != nil {
		return nil, nil, err
	}
	if allocate {
		if err = c.allocate(texts, length, opt, progress); err != nil {
			c.close()
			return nil, nil, err
		}
	}
	if opt.Imatrix == nil {
		opt.Imatrix, opt.ImatrixFile = c.promised(), SelfDataset
		opt.Imatrix.Chunks = len(texts)
	}
	return c, func() { c.close(); closeModel() }, err
}

// asideType is that of the temporary file that writes and is measured. It is read once for
// every token of the texts, and half as long as the model; what it says of the inputs of the
// model's matrices differs by less than two texts do.
const asideType = "Q8_0"

// openAside opens the model at src, as it is before it becomes dst, as a temporary file of
// fewer bits beside dst. Where there is no room for both, a GGUF file is opened itself, as one is
// that is quantised already. Done closes and removes it.
func openAside(ctx context.Context, src, dst string, s convert.Source, threads int, progress func(string, int, int)) (m *mpt.Model, done func(), err error) {
	remove := func() {}
	has, wants, room := roomFor(dst, s.Parameters)
	switch {
	case convert.IsCheckpoint(src) && !room:
		return nil, nil, fmt.Errorf("no room beside %s for it and a temporary file of %s, %d MiB in all where %d are free: "+
			"free some, or make a GGUF file of F16 of the folder first", dst, asideType, wants>>20, has>>20)
	case convert.IsCheckpoint(src) || s.Exact != "" && room:
		src, remove, err = convert.Aside(ctx, src, dst, convert.Options{
			Type: asideType, Search: quantize.SearchReference, Threads: threads, AllowRequantize: true,
			Progress: func(done, total int64) { progress("prepared", int(done>>20), int(total>>20)) },
		})
		if err != nil {
			return nil, nil, err
		}
	}
	m, err = mpt.Open(src, mpt.Threads(threads))
	if err != nil {
		remove()
		return nil, nil, err
	}
	return m, func() { m.Close(); remove() }, nil
}

// roomFor reports whether the folder of dst, or of what a link at dst leads to, takes so many weights of
// [asideType] twice: the temporary file, and dst, which is no larger. It returns the free bytes and those.
func roomFor(dst string, parameters int64) (has, wants int64, enough bool) {
	if target, err := newfile.Follow(dst); err == nil {
		dst = target
	}
	has, known := newfile.Room(filepath.Dir(dst))
	wants = parameters / 4 * 9
	return has, wants, !known || has > wants
}
