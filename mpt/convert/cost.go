package convert

import (
	"slices"

	"mptgo/gguf"
)

// Allocation is what is known of the costs of errors when types are chosen.
type Allocation struct {
	// Costs says, for each matrix by its name, what an error of 1 costs in each of its columns, if all
	// rows have it there. Errors count with their squares.
	Costs map[string][]float64
	// Imatrix says that the file that must not be smaller is one that was made with an importance matrix,
	// which changes the types of some recipes.
	Imatrix bool
}

// keyBytes is how much the keys of the file may be longer than those of another program's.
const keyBytes = 1024

// candidates are the types that a matrix may get: among them the one that it has by the recipe.
func (o *output) candidates() []gguf.Type {
	types := longTypes
	if o.row%256 != 0 {
		types = shortTypes
	}
	if slices.Contains(types, o.info.Type) || !isQuantized(o.info.Type) {
		return types
	}
	return append([]gguf.Type{o.info.Type}, types...)
}

// costs returns the weights of columns for errors, and what an error of the whole energy of the sampled
// rows x costs. If that is not known only the share of error in a matrix's output counts.
func (o *output) costs(opt Options, x []float32) (weights []float32, scale float64) {
	if opt.Allocation != nil && len(opt.Allocation.Costs[o.info.Name]) == o.row {
		return costOf(opt.Allocation.Costs[o.info.Name], x)
	}
	if opt.Imatrix != nil {
		if e := opt.Imatrix.Entries[o.info.Name]; e != nil && len(e.Sum2) == o.row {
			return e.Weights(), 1
		}
	}
	return nil, 1
}

// costOf is costs for known ones. Weights have a mean of 1, so that they fit into float32.
func costOf(costs []float64, x []float32) (weights []float32, scale float64) {
	mean := 0.
	for _, c := range costs {
		mean += c / float64(len(costs))
	}
	if !(mean > 0) {
		return nil, 0 // errors cost nothing
	}
	weights = make([]float32, len(costs))
	for j, c := range costs {
		weights[j] = float32(c / mean)
	}
	for i, v := range x {
		scale += float64(float64(weights[i%len(costs)]) * float64(float64(v)*float64(v)))
	}
	rows := float64(len(x) / len(costs))
	return weights, scale * mean / rows
}

// values returns the number of values in the tensors.
func (p *plan) values() (n float64) {
	for _, t := range p.tensors {
		n += t.values()
	}
	return n
}

// values returns the number of values in the tensor.
func (o *output) values() float64 {
	n := 1.
	for _, d := range o.info.Shape {
		n *= float64(d)
	}
	return n
}
