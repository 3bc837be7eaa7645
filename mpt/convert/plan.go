package convert

import (
	"errors"
	"fmt"
	"slices"

	"mptgo/gguf"
	"mptgo/mpt/checkpoint"
	"mptgo/quantize/recipes"
)

// A plan is a GGUF file to be: its metadata and where its tensors come from.
type plan struct {
	meta    []gguf.KV
	tensors []output
	order   []int // in which tensors are converted; nil: that of the file

	layout layout
	tokens []adapterTokens // of adapters that were merged
	close  []func() error  // files that were opened beside the source
}

// An output is a tensor of the file and the rows that it is made of.
type output struct {
	info  gguf.TensorInfo
	row   int // the number of values in a row of parts: that of a row of the tensor, or 1 for a vector
	parts []part

	folded   bool      // parts hold the values with the factors of the file
	weights  []float32 // the importance of the columns, or nil
	feedback *feedback // how their errors are compensated, or nil
}

// rowBytes returns the size of a row of the tensor, whose type was chosen so that its
// rows divide into blocks.
func (o *output) rowBytes() int64 {
	values, bytes := o.info.Type.Block()
	return int64(o.row) / int64(values) * int64(bytes)
}

// A part is a range of consecutive rows of a source tensor.
type part struct {
	src         source
	first, rows int
	factor      float32 // all values are multiplied by it; 1 copies them
}

// A source is a tensor as rows of values. Its read method may be called from
// several goroutines.
type source struct {
	typ      gguf.Type
	rows     int
	rowBytes int
	read     func(dst []byte, r0, r1 int) error
	tensor   *checkpoint.Tensor // that read reads as it is; nil for others

	origin gguf.Type // before a change made it F32; F32, the zero value, without one
}

// whole returns all rows of s as they are.
func (s source) whole() part { return part{s, 0, s.rows, 1} }

// closeAll closes the files that were opened beside the source.
func (p *plan) closeAll() (err error) {
	for _, c := range p.close {
		err = errors.Join(err, c())
	}
	p.close = nil
	return err
}

// infos returns the descriptions of the tensors.
func (p *plan) infos() []gguf.TensorInfo {
	infos := make([]gguf.TensorInfo, len(p.tensors))
	for i, t := range p.tensors {
		infos[i] = t.info
	}
	return infos
}

// sourceBytes returns the number of bytes that will be read.
func (p *plan) sourceBytes() (n int64) {
	for _, t := range p.tensors {
		for _, q := range t.parts {
			n += int64(q.rows) * int64(q.src.rowBytes)
		}
	}
	return n
}

// choose gives every tensor its type and what its codes are chosen by.
func (p *plan) choose(recipe recipes.Recipe, blocks int, opt Options) error {
	if err := p.assign(recipe, blocks, opt); err != nil {
		return err
	}
	return p.attachImportance(recipe, opt)
}

// assign gives every tensor its type, by the rules of a recipe and by choices, or
// by the errors that types make.
func (p *plan) assign(recipe recipes.Recipe, blocks int, opt Options) error {
	if c, ok := opt.Choices.Unused(p.names()); ok {
		return fmt.Errorf("no tensor has a name that matches %s: names are like blk.0.ffn_down.weight", c.Name)
	}
	info := recipes.ModelInfo{Blocks: blocks, Tied: p.tied(), Imatrix: opt.Imatrix != nil}
	if opt.Allocation != nil {
		info.Imatrix = opt.Allocation.Imatrix
	}
	for i := range p.tensors {
		t := &p.tensors[i]
		typ, note := opt.Choices.TensorType(recipe, t.info.Name, t.info.Shape, t.info.Type, info)
		if note != "" {
			opt.Logf("%s", note)
		}
		t.info.Type = typ
	}
	if opt.TargetBPW != 0 || opt.Allocation != nil {
		return p.allocate(info, opt)
	}
	return nil
}

// tied reports whether the embedding makes the logits, too.
func (p *plan) tied() bool { return !slices.Contains(p.names(), "output.weight") }

// names returns the names of all tensors.
func (p *plan) names() []string {
	names := make([]string, len(p.tensors))
	for i, t := range p.tensors {
		names[i] = t.info.Name
	}
	return names
}

// quantized reports whether a tensor has a type of blocks.
func (p *plan) quantized() bool {
	for _, t := range p.tensors {
		if isQuantized(t.info.Type) {
			return true
		}
	}
	return false
}

func isQuantized(t gguf.Type) bool {
	values, _ := t.Block()
	return values > 1
}
