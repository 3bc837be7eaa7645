package convert

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"mptgo/gguf"
	"mptgo/quantize"
	"mptgo/quantize/imatrix"
	"mptgo/quantize/recipes"
)

// attachImportance gives every matrix that is to be quantised the importance of its columns,
// and refuses types that are worthless without it.
func (p *plan) attachImportance(recipe recipes.Recipe, opt Options) error {
	var missing []string
	found, products := 0, false
	for i := range p.tensors {
		t := &p.tensors[i]
		if !isQuantized(t.info.Type) || !t.converted() {
			continue
		}
		if err := t.attachImportance(opt); err != nil {
			return err
		}
		if t.weights != nil || t.feedback != nil {
			found++
			products = products || opt.Imatrix.Entries[t.info.Name].Products != nil
			continue
		}
		if recipe.NeedsImatrix(t.info.Name, t.info.Type) {
			return fmt.Errorf("tensor %s: %v without the importance of its columns makes nonsense: "+
				"measure an importance matrix of the model first", t.info.Name, t.info.Type)
		}
		missing = append(missing, t.info.Name)
	}
	if products && opt.Search != quantize.SearchBetter {
		opt.Logf("the input correlations in the importance matrix are not used: that takes the better search")
	}
	if opt.Imatrix == nil || len(missing) == 0 {
		return nil
	}
	if found == 0 {
		return fmt.Errorf("the importance matrix has no entry for any of the %d matrices to quantise: is it one of another model?", len(missing))
	}
	opt.Logf("not in the importance matrix, so all columns have equal weights: %s", strings.Join(missing, ", "))
	return nil
}

// converted reports whether a tensor gets another type than its source has.
func (o *output) converted() bool {
	for _, q := range o.parts {
		if q.src.typ != o.info.Type || q.factor != 1 {
			return true
		}
	}
	return false
}

// attachImportance looks the tensor up. An embedding that is only looked up may have an entry
// of another size; it is passed over, as in llama-quantize.
func (o *output) attachImportance(opt Options) error {
	if opt.Imatrix == nil {
		return nil
	}
	e := opt.Imatrix.Entries[o.info.Name]
	if e == nil {
		return nil
	}
	if len(e.Sum2) != o.row {
		if o.info.Name == "token_embd.weight" {
			return nil
		}
		return fmt.Errorf("tensor %s has %d columns, and the importance matrix %d: it is one of another model", o.info.Name, o.row, len(e.Sum2))
	}
	o.weights = e.Weights()
	// A matrix that makes the logits and is looked up, too, must not have larger errors of
	// its values for the sake of its logits: measured, that costs more than it gains.
	if opt.Search != quantize.SearchBetter || o.info.Name == "token_embd.weight" {
		return nil
	}
	if e.Products == nil {
		if opt.Inputs != nil && opt.Inputs.Want(o.info.Name) {
			o.setFeedback(opt.Inputs, nil)
		}
		return nil
	}
	if len(e.Products) != o.row*e.Run {
		return fmt.Errorf("tensor %s: %d input correlations in the importance matrix for %d columns in groups of %d", o.info.Name, len(e.Products), o.row, e.Run)
	}
	if n, _ := o.info.Type.Block(); e.Run < o.row && e.Run%n != 0 {
		return fmt.Errorf("tensor %s: the input correlations in the importance matrix are of groups of %d columns, and %v has blocks of %d: "+
			"record them in groups of a multiple of 256", o.info.Name, e.Run, o.info.Type, n)
	}
	o.setFeedback(nil, e)
	return nil
}

// setFeedback gives a matrix the feedback that comes of an entry, or of one that is measured.
func (o *output) setFeedback(inputs Inputs, e *imatrix.Entry) {
	o.feedback = &feedback{inputs: inputs, entry: e, name: o.info.Name, typ: o.info.Type, cols: o.row}
	for _, q := range o.parts {
		o.feedback.rows += q.rows
	}
}

// checkImatrix refuses an importance matrix whose values cannot be used, and
// recipes that llama-quantize refuses without one.
func (opt Options) checkImatrix(recipe recipes.Recipe) error {
	if opt.Imatrix == nil {
		if recipe.NeedsImatrix("", recipe.Base) && recipe.Base != gguf.IQ2_S {
			return fmt.Errorf("%s without an importance matrix makes nonsense: measure an importance matrix of the model first", recipe.Name)
		}
		return nil
	}
	if len(opt.Imatrix.Entries) == 0 {
		return errors.New("the importance matrix is empty")
	}
	return opt.Imatrix.Check()
}

// longestValue is how many bytes of a name llama-quantize keeps.
const longestValue = 127

// imatrixKeys returns the keys that tell of the importance matrix, as llama-quantize
// writes them.
func (opt Options) imatrixKeys() []gguf.KV {
	m := opt.Imatrix
	if m == nil {
		return nil
	}
	kv := []gguf.KV{{Key: "quantize.imatrix.file", Value: shortened(opt.ImatrixFile)}}
	if n := len(m.Datasets); n > 0 {
		kv = append(kv, gguf.KV{Key: "quantize.imatrix.dataset", Value: shortened(m.Datasets[n-1])})
	}
	kv = append(kv, gguf.KV{Key: "quantize.imatrix.entries_count", Value: int32(len(m.Entries))})
	if m.Chunks > 0 {
		kv = append(kv, gguf.KV{Key: "quantize.imatrix.chunks_count", Value: int32(m.Chunks)})
	}
	return kv
}

// shortened returns the start of s, whole characters.
func shortened(s string) string {
	if len(s) <= longestValue {
		return s
	}
	s = s[:longestValue]
	for len(s) > 0 && !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}
