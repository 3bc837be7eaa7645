package convert

import (
	"fmt"
	"slices"

	"mptgo/mpt/lora"
)

// The two matrices that have a row for every token.
const (
	embeddingName = "token_embd.weight"
	outputName    = "output.weight"
)

// resize gives the embedding, and the output matrix, the rows that an adapter has for
// them. As in transformers an output matrix that is tied stays so, unless the adapter has
// another one.
func (p *plan) resize(a *lora.Adapter, logf func(string, ...any)) error {
	in, out := takeWhole(a, embeddingName), takeWhole(a, outputName)
	wte, head := p.find(embeddingName), p.find(outputName)
	isOther := func(m *lora.Matrix) bool {
		return m != nil && wte != nil && m.Cols == wte.info.Shape[0] && m.Rows != wte.info.Shape[1]
	}
	if !isOther(in) && !isOther(out) {
		p.tokens = append(p.tokens, adapterTokens{dir: a.Path})
		return nil
	}
	before := wte.info.Shape[1]
	switch {
	case in == nil:
		return fmt.Errorf("%s: it brings along an output matrix of %d rows and no embedding; that of the model has %d rows", a.Path, out.Rows, before)
	case head != nil && out == nil:
		return fmt.Errorf("%s: it brings along an embedding of %d rows and no output matrix; that of the model has %d rows", a.Path, in.Rows, before)
	case out != nil && (out.Rows != in.Rows || out.Cols != in.Cols):
		return fmt.Errorf("%s: an embedding of %d x %d and an output matrix of %d x %d do not belong together", a.Path, in.Rows, in.Cols, out.Rows, out.Cols)
	case in.Rows > maxVocab:
		return fmt.Errorf("%s: an embedding of %d rows, more than the %d of the largest vocabulary that is believed", a.Path, in.Rows, maxVocab)
	}
	drop(a, embeddingName)
	drop(a, outputName)
	wte.replace(in)
	if out != nil {
		if err := p.resizeHead(out, in); err != nil {
			return err
		}
	}
	p.tokens = append(p.tokens, adapterTokens{a.Path, in.Rows})
	logf("%s: the embedding, which the adapter brings along, has %d rows where the model had %d", a.Path, in.Rows, before)
	return nil
}

// resizeHead gives the model an output matrix, unless it is the embedding.
func (p *plan) resizeHead(out, in *lora.Matrix) error {
	if head := p.find(outputName); head != nil {
		head.replace(out)
		return nil
	}
	same, err := sameMatrix(out, in)
	if err != nil || same {
		return err
	}
	head := *p.find(embeddingName)
	head.info.Name, head.info.Shape = outputName, slices.Clone(head.info.Shape)
	p.tensors = append(p.tensors, head)
	p.find(outputName).replace(out)
	return nil
}

// joinWhole leaves a tied output matrix tied if the adapter brings along both matrices with
// the same values.
func (p *plan) joinWhole(a *lora.Adapter) error {
	in, out := takeWhole(a, embeddingName), takeWhole(a, outputName)
	if in == nil || out == nil || p.find(outputName) != nil || in.Rows != out.Rows || in.Cols != out.Cols {
		return nil
	}
	same, err := sameMatrix(out, in)
	if err == nil && same {
		drop(a, outputName)
		a.Tied = true
	}
	return err
}

// replace makes m what a tensor is made of.
func (o *output) replace(m *lora.Matrix) {
	o.info.Shape = []int{m.Cols, m.Rows}
	o.parts = []part{thinSource(m).whole()}
	o.folded = true
}

func takeWhole(a *lora.Adapter, target string) *lora.Matrix {
	for _, w := range a.Whole {
		if w.Target == target {
			return w.Value
		}
	}
	return nil
}

func drop(a *lora.Adapter, target string) {
	a.Whole = slices.DeleteFunc(a.Whole, func(w lora.Whole) bool { return w.Target == target })
}

// sameMatrix reports whether two matrices of an adapter have the same values.
func sameMatrix(a, b *lora.Matrix) (bool, error) {
	return a.Equals(lora.Rows{Type: b.Type, Rows: b.Rows, Cols: b.Cols, Read: b.ReadRows})
}
