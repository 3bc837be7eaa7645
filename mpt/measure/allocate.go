package measure

import (
	"runtime"
	"slices"

	"mptgo/gguf"
	"mptgo/mpt/convert"
	"mptgo/mpt/tune"
	"mptgo/quantize"
	"mptgo/quantize/recipes"
)

// mixed are the recipes of which nobody expects that most matrices have one type, and for which an
// allocation has types on both sides.
var mixed = []string{"Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_K_S", "Q4_K_M", "Q5_K_S", "Q5_K_M", "IQ4_XS"}

// allocates reports whether types are chosen by what errors cost. A target of bits is such a choice.
func (o *SelfOptions) allocates(opt *convert.Options) bool {
	if opt.TargetBPW > 0 || o.Allocate == SelfAlways {
		return true
	}
	r, err := recipes.Parse(opt.Type)
	return o.Allocate == SelfAuto && err == nil && slices.Contains(mixed, r.Name) && !opt.Choices.Pure
}

// Of so many texts one is run back through the model, and of so many one is measured for what is left of
// errors. Costs need not be as exact as correlations.
const (
	backTexts = 8
	leftTexts = 2
)

// allocate sets what errors in the matrices cost: half of the Fisher information of the outputs that they
// reach, summed over these, times the squares of what the columns are multiplied with.
func (c *calibration) allocate(texts [][]int32, length int, opt *convert.Options, progress func(string, int, int)) error {
	threads := threadsOf(opt.Threads)
	s, err := tune.MeasureSensitivity(c.ctx, c.m, texts[:max(1, len(texts)/backTexts)], threads)
	if err != nil {
		return err
	}
	left, err := c.left(texts[:max(1, len(texts)/leftTexts)], length, threads, progress)
	if err != nil {
		return err
	}
	costs := map[string][]float64{}
	for name, inputs := range s.Inputs {
		if left[name] == nil {
			left[name] = scaled(inputs, 1/float64(s.Tokens))
		}
		costs[name] = scaled(left[name], s.Outputs[name]/float64(s.Tokens)/2)
	}
	const embeddings = "token_embd.weight" // of which each token looks up one row
	costs[embeddings] = added(costs[embeddings], scaled(s.Looked, 1/float64(s.Tokens)/2))
	opt.Allocation = &convert.Allocation{Costs: costs, Imatrix: opt.Imatrix != nil}
	return nil
}

// left returns, for the matrices of blocks, what remains of the mean squares of their inputs as the cost of
// errors, when those after them in a row make them good as far as they can.
func (c *calibration) left(texts [][]int32, length, threads int, progress func(string, int, int)) (map[string][]float64, error) {
	k, err := newCalibration(c.ctx, c.m, texts, length, nil)
	if err != nil {
		return nil, err
	}
	defer k.close()
	var wanted []string
	for _, w := range c.m.Matrices() {
		if w.Cols%shortBlock == 0 && k.Want(w.Name) {
			wanted = append(wanted, w.Name)
		}
	}
	all, f := map[string][]float64{}, new(quantize.Feedback)
	for i, name := range wanted {
		e, err := k.Entry(name)
		if err != nil {
			return nil, err
		}
		if err := f.Set(gguf.IQ4_NL, e.Products, len(e.Sum2), e.Run, threads); err != nil {
			return nil, err
		}
		all[name] = scaled(f.Left(), 1/float64(e.Rows))
		k.Done(name)
		progress("measured", i+1, len(wanted))
	}
	return all, nil
}

// shortBlock is the length of the blocks of IQ4_NL. Rows that do not divide into those are not compensated.
const shortBlock = 32

// threadsOf returns how many threads an option stands for.
func threadsOf(n int) int {
	if n <= 0 {
		return runtime.GOMAXPROCS(0)
	}
	return n
}

func scaled(x []float64, factor float64) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v * factor)
	}
	return y
}

// added returns x + y; x may be empty.
func added(x, y []float64) []float64 {
	for i := range x {
		y[i] += x[i]
	}
	return y
}
