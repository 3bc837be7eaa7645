package convert

import (
	"fmt"

	"mptgo/gguf"
	"mptgo/quantize/recipes"
)

// A Source is what is known of a model before it is converted.
type Source struct {
	Parameters int64  // values in all tensors
	Exact      string // the recipe of the float type that keeps its matrices as they are; "" if some are quantised

	plan *plan // to keep all values as F32, to look at
}

// Examine tells what [Convert] would read from src, which is no adapter.
func Examine(src string) (Source, error) {
	opt := Options{Type: "F32", AllowRequantize: true}
	recipe, err := opt.recipe()
	if err != nil {
		return Source{}, err
	}
	p, done, err := open(src, "", recipe, opt.withDefaults(recipe))
	if err != nil {
		return Source{}, fmt.Errorf("convert: %w", err)
	}
	s := Source{Exact: p.exact(), plan: p}
	for _, t := range p.tensors {
		for _, q := range t.parts {
			s.Parameters += int64(q.rows) * int64(t.row)
		}
	}
	return s, done()
}

// FileBytes returns how large the file is that [Convert] makes, give or take the keys that tell of
// an importance matrix and, with a target of bits, what of them is left.
func (s Source) FileBytes(opt Options) (int64, error) {
	recipe, err := opt.recipe()
	if err != nil {
		return 0, fmt.Errorf("convert: %w", err)
	}
	infos := s.plan.infos()
	info := recipes.ModelInfo{Tied: s.plan.tied(), Imatrix: true}
	for _, t := range infos {
		info.Blocks = max(info.Blocks, blockOf(t.Name)+1)
	}
	for i, t := range infos {
		infos[i].Type, _ = opt.Choices.TensorType(recipe, t.Name, t.Shape, t.Type, info)
		if opt.TargetBPW > 0 {
			infos[i].Type, infos[i].Shape = gguf.F32, []int{1} // the target counts the rest
		}
	}
	bytes, err := gguf.FileBytes(s.plan.meta, infos)
	return bytes + int64(opt.TargetBPW*float64(s.Parameters)/8), err
}

// exact returns the recipe that keeps all matrices as they are.
func (p *plan) exact() string {
	name := ""
	for _, t := range p.tensors {
		for _, q := range t.parts {
			typ := max(q.src.typ, q.src.origin)
			switch {
			case isQuantized(typ):
				return ""
			case len(t.info.Shape) < 2: // vectors are F32 in every recipe
			case name == "":
				name = typ.String()
			case name != typ.String():
				name = "F32"
			}
		}
	}
	if _, err := recipes.Parse(name); err != nil {
		return "F32" // F64, which no recipe keeps
	}
	return name
}
