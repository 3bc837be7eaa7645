package convert

import (
	"cmp"
	"slices"
	"sync"

	"mptgo/gguf"
	"mptgo/quantize"
	"mptgo/quantize/imatrix"
)

// Inputs tells of matrices, while they are converted, what an importance matrix does not tell:
// the correlations of their inputs. Matrices are converted in the order of the model's blocks then.
// It serves several goroutines.
type Inputs interface {
	// Want reports whether the matrix of a name can be measured. It is called before the first Entry.
	Want(name string) bool
	// Entry returns what was measured of a matrix that Want is true of. It may take long.
	Entry(name string) (*imatrix.Entry, error)
	// Done is called when the entry is not used any more.
	Done(name string)
}

// feedback is made when the first rows of its tensor need it, and its memory goes to another
// tensor after the last ones: it takes as much as the correlations.
type feedback struct {
	inputs     Inputs // that entry comes from, if it is nil
	entry      *imatrix.Entry
	name       string
	typ        gguf.Type
	cols, rows int

	mu      sync.Mutex
	done    int // rows
	made    *quantize.Feedback
	weights []float32
}

// get returns it, and the mean squares that came with it.
func (f *feedback) get(spare *spares, threads int) (*quantize.Feedback, []float32, error) {
	if f == nil {
		return nil, nil, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.made != nil {
		return f.made, f.weights, nil
	}
	e := f.entry
	if f.inputs != nil {
		var err error
		if e, err = f.inputs.Entry(f.name); err != nil {
			return nil, nil, err
		}
		f.weights = e.Weights()
	}
	made := spare.take()
	if err := made.Set(f.typ, e.Products, f.cols, e.Run, threads); err != nil {
		return nil, nil, err
	}
	if f.inputs != nil {
		f.inputs.Done(f.name)
	}
	f.made = made
	return made, f.weights, nil
}

// used says that n more rows are done.
func (f *feedback) used(n int, spare *spares) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done += n; f.done == f.rows {
		spare.give(f.made)
		f.made = nil
	}
}

// spares are feedbacks whose memory nobody uses. Collected and allocated anew they would take the
// heap twice.
type spares struct {
	mu  sync.Mutex
	all []*quantize.Feedback
}

func (s *spares) take() *quantize.Feedback {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.all)
	if n == 0 {
		return new(quantize.Feedback)
	}
	f := s.all[n-1]
	s.all = s.all[:n-1]
	return f
}

func (s *spares) give(f *quantize.Feedback) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, f)
}

// orderByBlocks has tensors converted in the order of the blocks that they belong to.
func (p *plan) orderByBlocks() {
	p.order = make([]int, len(p.tensors))
	for i := range p.order {
		p.order[i] = i
	}
	slices.SortStableFunc(p.order, func(a, b int) int {
		return cmp.Compare(blockOf(p.tensors[a].info.Name), blockOf(p.tensors[b].info.Name))
	})
}
