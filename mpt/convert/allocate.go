package convert

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"mptgo/gguf"
	"mptgo/quantize"
	"mptgo/quantize/recipes"
)

// The types that an allocation chooses from, for rows that divide into blocks of 256
// and for others, the smallest first.
var (
	longTypes  = []gguf.Type{gguf.Q2_K, gguf.Q3_K, gguf.IQ4_XS, gguf.Q4_K, gguf.Q5_K, gguf.Q6_K, gguf.Q8_0}
	shortTypes = []gguf.Type{gguf.IQ4_NL, gguf.Q5_0, gguf.Q5_1, gguf.Q8_0}
)

// sampleRows is how many rows of a matrix are tried, evenly spread.
const sampleRows = 96

// otherTypes are those beside the long ones that a matrix may have.
var otherTypes = []gguf.Type{gguf.Q4_0, gguf.Q4_1, gguf.IQ4_NL, gguf.Q5_0, gguf.Q5_1, gguf.IQ2_S, gguf.IQ3_XXS, gguf.IQ3_S}

// An option is a type that a matrix may get.
type option struct {
	typ   gguf.Type
	bits  float64 // of the matrix
	error float64 // share of its output's energy that is error, or what it costs
}

// recipe returns the recipe of the options. With a target of bits and no type it is
// the one that files of that size usually have the name of.
func (opt Options) recipe() (recipes.Recipe, error) {
	if strings.EqualFold(opt.Type, Copy) {
		return recipes.Recipe{}, opt.checkCopy()
	}
	if opt.TargetBPW == 0 || opt.Type != "" {
		return recipes.Parse(opt.Type)
	}
	switch {
	case !(opt.TargetBPW > 0):
		return recipes.Recipe{}, fmt.Errorf("a target of %v bits per weight", opt.TargetBPW)
	case opt.TargetBPW < 3:
		return recipes.Parse("Q2_K")
	case opt.TargetBPW < 4.25:
		return recipes.Parse("Q3_K_M")
	case opt.TargetBPW < 5.2:
		return recipes.Parse("Q4_K_M")
	case opt.TargetBPW < 6.3:
		return recipes.Parse("Q5_K_M")
	case opt.TargetBPW < 8:
		return recipes.Parse("Q6_K")
	}
	return recipes.Parse("Q8_0")
}

// Copy is the type that keeps the types of the source, as in llama-quantize: only the file is
// written anew.
const Copy = "COPY"

// checkCopy refuses options that say how to choose types.
func (opt Options) checkCopy() error {
	c := opt.Choices
	if opt.TargetBPW != 0 || opt.Imatrix != nil ||
		c.Pure || c.Output != nil || c.Embedding != nil || len(c.Tensors) > 0 {
		return errors.New("the type COPY keeps all types: leave out what chooses others, and the importance matrix")
	}
	return nil
}

// allocate gives the matrices types that make the sum of their relative errors small
// within the target of bits. Matrices that choices name keep their types.
//
// The error of a type is measured: rows are quantised and compared, columns weighing
// what errors in them cost. If that is not known they weigh what their importance is, so
// that it is the energy of the error in the product over that of the product. Bits go,
// step by step, where one buys the most.
func (p *plan) allocate(info recipes.ModelInfo, opt Options) error {
	all, err := p.options(info, opt)
	if err != nil {
		return err
	}
	usual := p.bitsPerWeight() // of the recipe
	target := opt.TargetBPW
	if target == 0 {
		target = usual - 8*keyBytes/p.values()
	}
	budget, least := p.budget(all, target)
	switch {
	case budget < 0 && opt.TargetBPW == 0:
		return nil // there are no smaller types than the recipe's
	case budget < 0:
		return fmt.Errorf("a target of %.3g bits per weight: the smallest types take %.3g", target, least)
	}
	chosen := choose(all, budget)
	for i, o := range all {
		if o != nil {
			p.tensors[i].info.Type = o[chosen[i]].typ
		}
	}
	if opt.TargetBPW == 0 {
		opt.Logf("types by what their errors cost, %.3f bits per weight in place of %.3f: %s", p.bitsPerWeight(), usual, p.inventory())
		return nil
	}
	opt.Logf("%.3f bits per weight of a target of %g: %s", p.bitsPerWeight(), target, p.inventory())
	return nil
}

// options measures the options of every matrix that is free, each on the lower side of
// the convex hull of bits and errors. It is nil for other tensors.
func (p *plan) options(info recipes.ModelInfo, opt Options) ([][]option, error) {
	all, errs := make([][]option, len(p.tensors)), make([]error, len(p.tensors))
	next := make(chan int)
	var wg sync.WaitGroup
	for range opt.Threads {
		wg.Go(func() {
			for i := range next {
				all[i], errs[i] = p.tensors[i].measure(opt)
			}
		})
	}
	for i, t := range p.tensors {
		if isQuantized(t.info.Type) && !opt.Choices.Fixes(t.info.Name, info) {
			next <- i
		}
	}
	close(next)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// measure returns the options of one matrix.
func (o *output) measure(opt Options) ([]option, error) {
	x, err := o.sample()
	if err != nil {
		return nil, fmt.Errorf("tensor %s: %w", o.info.Name, err)
	}
	weights, scale := o.costs(opt, x)
	var all []option
	for _, t := range o.candidates() {
		e, err := relativeErrorOf(x, t, o.row, weights, opt.Search)
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", o.info.Name, err)
		}
		trial := output{info: o.info, row: o.row}
		trial.info.Type = t
		all = append(all, option{t, 8 * float64(trial.rowBytes()) * float64(o.info.Shape[1]), e * scale})
	}
	return hull(all), nil
}

// sample returns some rows as float32.
func (o *output) sample() ([]float32, error) {
	total := 0
	for _, q := range o.parts {
		total += q.rows
	}
	step := max(1, total/sampleRows)
	wide := output{info: o.info, row: o.row}
	wide.info.Type = gguf.F32
	var k worker
	var x []float32
	for _, q := range o.parts {
		for r := step / 2; r < q.rows; r += step {
			b, err := k.convert(task{part: q, first: q.first + r, rows: 1}, &wide)
			if err != nil {
				return nil, err
			}
			for i := 0; i < len(b); i += 4 {
				x = append(x, math.Float32frombits(binary.LittleEndian.Uint32(b[i:])))
			}
		}
	}
	return x, nil
}

// relativeErrorOf quantises rows and returns the share of error in their energy.
func relativeErrorOf(x []float32, t gguf.Type, cols int, weights []float32, search quantize.Search) (float64, error) {
	size, err := t.RowBytes(cols)
	if err != nil {
		return 0, err
	}
	row, y := make([]byte, size), make([]float32, cols)
	var e, s float64
	for ; len(x) >= cols; x = x[cols:] {
		if err := search.Encode(t, row, x[:cols], cols, weights); err != nil {
			return 0, err
		}
		if err := quantize.DecodeRow(t, y, row); err != nil {
			return 0, err
		}
		for i, v := range x[:cols] {
			w := 1.
			if weights != nil {
				w = float64(weights[i])
			}
			d := float64(y[i]) - float64(v)
			e += w * d * d
			s += w * float64(v) * float64(v)
		}
	}
	if s == 0 {
		return 0, nil
	}
	return e / s, nil
}

// hull returns the options from which one more bit buys less and less, sorted by
// bits.
func hull(all []option) []option {
	slices.SortFunc(all, func(a, b option) int {
		return cmp.Or(cmp.Compare(a.bits, b.bits), cmp.Compare(a.error, b.error))
	})
	var kept []option
	for _, o := range all {
		if len(kept) > 0 && (o.bits == kept[len(kept)-1].bits || o.error >= kept[len(kept)-1].error) {
			continue
		}
		for len(kept) > 1 && gain(kept[len(kept)-2], o) >= gain(kept[len(kept)-2], kept[len(kept)-1]) {
			kept = kept[:len(kept)-1]
		}
		kept = append(kept, o)
	}
	return kept
}

// gain returns how much error a bit takes away between two options.
func gain(from, to option) float64 { return (from.error - to.error) / (to.bits - from.bits) }

// budget returns how many bits are left for the free matrices beyond their smallest
// options, and how many bits a weight of the model takes with those.
func (p *plan) budget(all [][]option, target float64) (left, least float64) {
	var used float64
	for i, t := range p.tensors {
		n := t.values()
		if all[i] != nil {
			used += all[i][0].bits
			continue
		}
		values, bytes := t.info.Type.Block()
		used += 8 * n / float64(values) * float64(bytes)
	}
	return target*p.values() - used, used / p.values()
}

// choose returns the index of the option of each matrix. The step that takes away the
// most error for a bit is taken first; one that does not fit any more ends the climb
// of its matrix.
func choose(all [][]option, budget float64) []int {
	chosen, stuck := make([]int, len(all)), make([]bool, len(all))
	for {
		best, most := -1, 0.
		for i, o := range all {
			if stuck[i] || chosen[i]+1 >= len(o) {
				continue
			}
			if g := gain(o[chosen[i]], o[chosen[i]+1]); g > most {
				best, most = i, g
			}
		}
		if best < 0 {
			return chosen
		}
		o := all[best]
		cost := o[chosen[best]+1].bits - o[chosen[best]].bits
		if cost > budget {
			stuck[best] = true
			continue
		}
		budget -= cost
		chosen[best]++
	}
}

// bitsPerWeight returns the bits that a value of the planned tensors takes.
func (p *plan) bitsPerWeight() float64 {
	var bits float64
	for _, t := range p.tensors {
		size, _ := t.info.Size() // checked when the plan was made
		bits += 8 * float64(size)
	}
	return bits / p.values()
}

// inventory returns how many matrices have which type.
func (p *plan) inventory() string {
	text := ""
	for _, t := range slices.Concat([]gguf.Type{}, longTypes, otherTypes) {
		n := 0
		for _, o := range p.tensors {
			if o.info.Type == t {
				n++
			}
		}
		if n > 0 {
			text += fmt.Sprintf(", %d %v", n, t)
		}
	}
	return text[min(2, len(text)):]
}
