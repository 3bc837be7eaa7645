package convert

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"mptgo/gguf"
	"mptgo/quantize"
)

// weigh gives every matrix that is to be quantised the importance of its columns,
// and refuses types that are worthless without it.
func (p *plan) weigh(recipe quantize.Recipe, opt Options) error {
	var missing []string
	found, products := 0, false
	for i := range p.tensors {
		t := &p.tensors[i]
		if !isQuantized(t.info.Type) || !t.converted() {
			continue
		}
		if err := t.weigh(opt); err != nil {
			return err
		}
		if t.weights != nil {
			found++
			products = products || opt.Imatrix.Entries[t.info.Name].Products != nil
			continue
		}
		if recipe.NeedsImatrix(t.info.Name, t.info.Type) {
			return fmt.Errorf("tensor %s: %v without the importance of its columns makes nonsense: "+
				"measure it with mpt imatrix, and add --imatrix FILE", t.info.Name, t.info.Type)
		}
		missing = append(missing, t.info.Name)
	}
	if products && opt.Search != quantize.Better {
		opt.Logf("the products in the importance matrix are not used: that takes --search better")
	}
	if opt.Imatrix == nil || len(missing) == 0 {
		return nil
	}
	if found == 0 {
		return fmt.Errorf("the importance matrix has no entry for any of the %d matrices to quantise: is it one of another model?", len(missing))
	}
	opt.Logf("no importance in the importance matrix, so all columns count alike: %s", strings.Join(missing, ", "))
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

// weigh looks the tensor up. An embedding that is only looked up may have an entry
// of another size; it is passed over, as in llama-quantize.
func (o *output) weigh(opt Options) error {
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
	if e.Products == nil || opt.Search != quantize.Better {
		return nil
	}
	if len(e.Products) != o.row*quantize.FeedbackRun {
		return fmt.Errorf("tensor %s: %d products in the importance matrix for %d columns", o.info.Name, len(e.Products), o.row)
	}
	o.feedback = sync.OnceValue(func() *quantize.Feedback {
		f, _ := quantize.NewFeedback(e.Products, o.row) // the size is right
		return f
	})
	return nil
}

// checkImatrix refuses an importance matrix whose values cannot be used, and
// recipes that llama-quantize refuses without one.
func (opt Options) checkImatrix(recipe quantize.Recipe) error {
	if opt.Imatrix == nil {
		if recipe.NeedsImatrix("", recipe.Base) && recipe.Base != gguf.IQ2_S {
			return fmt.Errorf("%s without an importance matrix makes nonsense: measure one with mpt imatrix, and add --imatrix FILE", recipe.Name)
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
