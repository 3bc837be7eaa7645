package convert

import (
	"fmt"

	"mptgo/quantize/recipes"
)

// A Source is what is known of a model before it is converted.
type Source struct {
	Parameters int64  // values in all tensors
	Exact      string // the recipe of the float type that keeps its matrices as they are; "" if some are quantised
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
	s := Source{Exact: p.exact()}
	for _, t := range p.tensors {
		for _, q := range t.parts {
			s.Parameters += int64(q.rows) * int64(t.row)
		}
	}
	return s, done()
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
