package convert

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"mptgo/gguf"
	"mptgo/mpt/checkpoint"
	"mptgo/mpt/lora"
	"mptgo/quantize"
	"mptgo/quantize/imatrix"
	"mptgo/quantize/recipes"
)

// Options says how to convert.
type Options struct {
	Type            string          // the name of a recipe, such as "F16" or "Q4_0": see recipes.All
	Search          quantize.Search // Auto: what the recipe prefers, or Better to use the correlations in Imatrix
	Force           bool            // replace an existing file
	AllowRequantize bool            // accept a GGUF file whose weights are quantised: quality is lost twice
	Threads         int             // workers; 0 means one per core

	Imatrix     *imatrix.Matrix // the importance of columns, or nil
	ImatrixFile string          // where it came from, for the record
	Inputs      Inputs          // tells what Imatrix does not tell of its entries, or nil

	Choices recipes.Choices // other types than the recipe's for some matrices

	// TargetBPW, if not 0, is how many bits a weight may take on average. Every
	// matrix then gets a type by the error that it makes there, and the recipe
	// only gives the file its name.
	TargetBPW float64

	// Allocation, if not nil, says what errors cost. Every matrix then gets a type by that, so that the
	// file is no larger than the recipe's, or has as many bits as TargetBPW says.
	Allocation *Allocation

	// Progress, if not nil, is told how many of total source bytes are done.
	// Calls do not overlap and done does not decrease.
	Progress func(done, total int64)

	// Logf, if not nil, is told what a user should know although it is no
	// error: one line per call, without a newline.
	Logf func(format string, args ...any)

	edit  func(p *plan) error // changes the plan before types are chosen
	merge bool                // edit merges adapters
}

// withDefaults returns the options with those filled in that were left open.
func (opt Options) withDefaults(recipe recipes.Recipe) Options {
	if opt.Search == quantize.SearchAuto && opt.Imatrix != nil && (opt.Imatrix.HasProducts() || opt.Inputs != nil) {
		opt.Search = quantize.SearchBetter // who measured them wants them used
	}
	opt.Search = recipe.Search(opt.Search)
	if opt.Threads <= 0 {
		opt.Threads = runtime.GOMAXPROCS(0)
	}
	if opt.edit == nil {
		opt.edit = func(*plan) error { return nil }
	}
	opt.Logf = opt.withLog()
	return opt
}

// withLog returns the function to tell of notes, which may be left out.
func (opt Options) withLog() func(format string, args ...any) {
	if opt.Logf == nil {
		return func(string, ...any) {}
	}
	return opt.Logf
}

// Summary is what a conversion did.
type Summary struct {
	Tensors     int
	Parameters  int64             // values in all tensors
	SourceBytes int64             // of the tensors in the source
	Bytes       int64             // of the file
	Types       map[gguf.Type]int // tensors of each type
	Underflows  int64             // values that are too small for F16 and became 0
}

// Convert makes the file dst from src, which is a checkpoint folder, a file of weights in
// one, or a GGUF file. From a
// folder with a LoRA adapter of PEFT it makes an adapter file; opt.Type may then be empty,
// which keeps the types of the adapter.
//
// Features of a model that this module does not run are refused by name, in an
// error that wraps errors.ErrUnsupported. If Convert fails, or ctx is cancelled,
// it leaves nothing behind; an existing dst is touched only when its replacement
// is complete.
func Convert(ctx context.Context, src, dst string, opt Options) (*Summary, error) {
	if lora.IsFolder(src) {
		s, err := convertAdapter(ctx, src, dst, opt)
		if err != nil {
			return nil, fmt.Errorf("convert: %w", err)
		}
		return s, nil
	}
	recipe, err := opt.recipe()
	if err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	if err := opt.checkImatrix(recipe); err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	opt = opt.withDefaults(recipe)
	p, done, err := open(src, dst, recipe, opt)
	if err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	defer done()
	s, err := p.write(ctx, dst, opt)
	if err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	return s, nil
}

// checkBeside returns an error if dst is a file of the checkpoint in the folder
// src: replacing it would destroy the source.
func checkBeside(src os.FileInfo, dst string) error {
	if strings.EqualFold(filepath.Ext(dst), ".gguf") {
		return nil
	}
	dir, err := os.Stat(filepath.Dir(dst))
	if err != nil || !os.SameFile(src, dir) {
		return nil // what else is wrong shows when the file is created
	}
	if _, err := os.Lstat(dst); err == nil {
		return fmt.Errorf("%s: this is a file of the checkpoint: give the output another name", dst)
	}
	return nil
}

// open plans the conversion of src. The plan reads from files that done closes.
func open(src, dst string, recipe recipes.Recipe, opt Options) (p *plan, done func() error, err error) {
	if err := checkpoint.Dangling(src); err != nil {
		return nil, nil, err
	}
	from, err := os.Stat(src)
	if err != nil {
		return nil, nil, err
	}
	if to, err := os.Stat(dst); err == nil && os.SameFile(from, to) {
		return nil, nil, fmt.Errorf("%s: source and output are the same file", src)
	}
	if IsCheckpoint(src) {
		if err := checkFolder(src, dst); err != nil {
			return nil, nil, err
		}
		return openCheckpoint(src, recipe, opt)
	}
	p, done, err = openGGUF(src, recipe, opt)
	if errors.Is(err, gguf.ErrFormat) {
		err = fmt.Errorf("%w (a source is a GGUF file or the folder of a checkpoint)", err)
	}
	return p, done, err
}

// IsCheckpoint reports whether src is a folder, or a file of weights in one, rather than a
// GGUF file.
func IsCheckpoint(src string) bool {
	info, err := os.Stat(src)
	return err == nil && (info.IsDir() || checkpoint.IsWeights(src))
}

// checkFolder is checkBeside for the folder src, or that of the file src.
func checkFolder(src, dst string) error {
	info, err := os.Stat(src)
	if err == nil && !info.IsDir() {
		info, err = os.Stat(filepath.Dir(src))
	}
	if err != nil {
		return err
	}
	return checkBeside(info, dst)
}
