package lora

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"mptgo/gguf"
	"mptgo/quantize"
)

// Rows are the rows of a tensor of a model, as they lie in its file. A vector is one row.
type Rows struct {
	Type       gguf.Type
	Rows, Cols int
	Read       func(dst []byte, r0, r1 int) error
	Factor     func(r int) float32 // what row r was multiplied by when the file was made, a power of two; nil: by nothing
}

// Ignore removes from a the whole tensors that are copies of the model's own, which
// programs save along with an adapter, and says so in its notes. Find returns a tensor of
// the model by its name in a model file; that of a tied output matrix is the embedding.
func (a *Adapter) Ignore(find func(target string) (Rows, bool)) error {
	var copies, below []string
	var rest []Whole
	for _, w := range a.Whole {
		base, ok := find(w.Target)
		same := ok && base.Rows == w.Value.Rows && base.Cols == w.Value.Cols
		fits := same
		if same {
			var err error
			if same, err = w.Value.Equals(base); err != nil {
				return fmt.Errorf("lora: %s: %s: %w", a.Path, w.Target, err)
			}
		}
		switch {
		case same:
			copies = append(copies, w.Target)
		case fits && w.Below && isQuantized(base.Type):
			below = append(below, w.Target)
		default:
			rest = append(rest, w)
		}
	}
	a.Whole = rest
	a.noteCopies("ignored, as a copy of the model's own", copies)
	a.noteCopies("ignored, as a copy of the model's own weights (base_layer), which are quantised and cannot be compared", below)
	return nil
}

// IgnoreBelow removes from a the whole tensors that lie below a change, for want of a model
// to compare them with.
func (a *Adapter) IgnoreBelow() {
	var below []string
	a.Whole = slices.DeleteFunc(a.Whole, func(w Whole) bool {
		if w.Below {
			below = append(below, w.Target)
		}
		return w.Below
	})
	a.noteCopies("left out, as a copy of the model's own weights (base_layer); if the embedding was resized, merge the adapter instead", below)
}

// noteCopies adds a note about tensors.
func (a *Adapter) noteCopies(what string, targets []string) {
	const most = 3
	if len(targets) == 0 {
		return
	}
	text := strings.Join(targets[:min(most, len(targets))], ", ")
	if more := len(targets) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	a.Notes = append(a.Notes, what+": "+text)
}

func isQuantized(t gguf.Type) bool {
	values, _ := t.Block()
	return values > 1
}

// compared is how many values are compared at a time, give or take a row.
const compared = 1 << 18

// Equals reports whether the values of m are those of a model, in the coarser of the two
// types: m may be what a model of float32 became when it was trained in bfloat16, and a
// model may be what its file was quantised to. The rows must be as many and as long.
func (m *Matrix) Equals(base Rows) (bool, error) {
	if _, ok := quantize.Lookup(base.Type); !ok && base.Type != gguf.F64 {
		return false, nil
	}
	if !isQuantized(base.Type) {
		return m.compare(base, func(ours []float32, theirs []byte) (bool, error) {
			values, err := decode(base.Type, theirs, len(ours))
			return err == nil && (equalAs(base.Type, ours, values) || equalAs(m.Type, values, ours)), err
		})
	}
	// What another search makes differs in the first rows already.
	for _, search := range []quantize.Search{quantize.SearchReference, quantize.SearchBetter} {
		same, err := m.compare(base, func(ours []float32, theirs []byte) (bool, error) {
			made := make([]byte, len(theirs))
			if search.Encode(base.Type, made, ours, base.Cols, nil) != nil {
				return false, nil // a type that cannot be made
			}
			return bytes.Equal(made, theirs), nil
		})
		if same || err != nil {
			return same, err
		}
	}
	return false, nil
}

// compare reports whether same holds for all rows: the values of m, as they would be in a
// model's file, and what is there.
func (m *Matrix) compare(base Rows, same func(ours []float32, theirs []byte) (bool, error)) (bool, error) {
	rowBytes, err := base.Type.RowBytes(base.Cols)
	if err != nil {
		return false, err
	}
	step := max(1, compared/base.Cols)
	for r := 0; r < base.Rows; r += step {
		n := min(step, base.Rows-r)
		theirs := make([]byte, n*rowBytes)
		if err := base.Read(theirs, r, r+n); err != nil {
			return false, err
		}
		ours, err := m.floats(r, r+n)
		if err != nil {
			return false, err
		}
		for i := range ours {
			if base.Factor != nil {
				ours[i] *= base.Factor(r + i/base.Cols)
			}
			if ours[i]-ours[i] != 0 {
				return false, nil // using them says what is wrong
			}
		}
		if ok, err := same(ours, theirs); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// equalAs reports whether v, rounded to a type, has the values of want.
func equalAs(t gguf.Type, v, want []float32) bool {
	if slices.Equal(v, want) {
		return true
	}
	if t != gguf.F16 && t != gguf.BF16 {
		return false
	}
	b := make([]byte, 2*len(v))
	if quantize.EncodeRows(t, b, v, len(v), nil) != nil {
		return false
	}
	rounded, err := decode(t, b, len(v))
	return err == nil && slices.Equal(rounded, want)
}
