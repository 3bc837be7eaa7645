package lora

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"mptgo/gguf"
)

// The endings of the names of the tensors of an adapter file.
const (
	endA = ".lora_a"
	endB = ".lora_b"
)

// openGGUF opens an adapter file.
func openGGUF(path string) (*Adapter, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	a := &Adapter{Path: path, Format: "GGUF", close: f.Close}
	if err := a.readGGUF(f); err != nil {
		f.Close()
		return nil, err
	}
	return a, nil
}

func (a *Adapter) readGGUF(f *gguf.File) error {
	alpha, err := a.readKeys(f)
	if err != nil {
		return err
	}
	byTarget := map[string]*Pair{}
	for _, t := range f.Tensors() {
		if err := a.addTensor(t, byTarget); err != nil {
			return err
		}
	}
	for i := range a.Pairs {
		p := byTarget[a.Pairs[i].Target]
		switch {
		case p.A == nil:
			return malformed("tensor %s is missing, the other half of %s", p.Target+endA, p.B.Name)
		case p.B == nil:
			return malformed("tensor %s is missing, the other half of %s", p.Target+endB, p.A.Name)
		}
		// Without alpha the product is taken as it is.
		p.Scale = 1
		if alpha != 0 {
			p.Scale = alpha / float64(p.B.Cols)
		}
		a.Pairs[i] = *p
	}
	return nil
}

// readKeys checks what kind of file it is and returns alpha, or 0 without it.
func (a *Adapter) readKeys(f *gguf.File) (alpha float64, err error) {
	kind, err := gguf.GetOr(f, "general.type", "model")
	if err != nil {
		return 0, err
	}
	if kind == "model" {
		return 0, malformed("a model, not an adapter")
	}
	arch, err := gguf.Get[string](f, "general.architecture")
	if err != nil {
		return 0, err
	}
	what, err := gguf.GetOr(f, "adapter.type", "")
	switch {
	case err != nil:
		return 0, err
	case kind != "adapter":
		return 0, malformed("a file of type %q (general.type), not an adapter", kind)
	case arch != "mpt":
		return 0, malformed("an adapter for models of architecture %q; this is for %q", arch, "mpt")
	case what != "lora":
		return 0, fmt.Errorf("an adapter of type %q (adapter.type), only %q is supported: %w",
			what, "lora", errors.ErrUnsupported)
	}
	if _, ok := f.Value("adapter.alora.invocation_tokens"); ok {
		return 0, fmt.Errorf("activated LoRA (adapter.alora.invocation_tokens) is not supported: %w",
			errors.ErrUnsupported)
	}
	if a.Base, err = gguf.GetOr(f, "general.base_model.0.name", ""); err != nil {
		return 0, err
	}
	alpha32, err := gguf.GetOr(f, "adapter.lora.alpha", float32(0))
	if err == nil && alpha32-alpha32 != 0 {
		err = malformed("adapter.lora.alpha is %v", alpha32)
	}
	return float64(alpha32), err
}

// addTensor takes one tensor.
func (a *Adapter) addTensor(t *gguf.Tensor, byTarget map[string]*Pair) error {
	m, err := fromGGUF(t)
	if err != nil {
		return err
	}
	target, isA := strings.CutSuffix(t.Name, endA)
	isB := false
	if !isA {
		target, isB = strings.CutSuffix(t.Name, endB)
	}
	switch {
	case !isA && !isB && strings.HasSuffix(t.Name, "_norm.weight"):
		a.Whole = append(a.Whole, Whole{Target: t.Name, Value: m})
		return nil
	case !isA && !isB:
		return malformed("tensor %q is neither %s nor %s of a matrix", t.Name, endA, endB)
	case !strings.HasSuffix(target, ".weight"):
		return malformed("tensor %q: only matrices (.weight) can be changed", t.Name)
	}
	p := byTarget[target]
	if p == nil {
		p = &Pair{Target: target}
		byTarget[target] = p
		a.Pairs = append(a.Pairs, *p)
	}
	if isA {
		p.A = m
	} else {
		p.B = m
	}
	return nil
}

// Alpha returns the value of adapter.lora.alpha for a file that holds the pairs of a:
// that from which the scales of most of them follow.
func (a *Adapter) Alpha() float32 {
	count, best := map[float32]int{}, float32(0)
	for i := range a.Pairs {
		alpha := a.Pairs[i].alpha()
		count[alpha]++
		if count[alpha] > count[best] {
			best = alpha
		}
	}
	return best
}

// alpha returns the alpha from which the scale of p follows.
func (p *Pair) alpha() float32 { return float32(p.Scale * float64(p.Rank)) }

// Factor returns what B of p is multiplied by in a file with the given alpha; it is 1
// where the scale follows from alpha as it is.
func (p *Pair) Factor(alpha float32, rank int) float32 {
	if rank == p.Rank && p.alpha() == alpha {
		return 1
	}
	return float32(p.Scale * float64(rank) / float64(alpha))
}

// finite reports whether x is a number that a scale can be.
func finite(x float64) bool { return !math.IsNaN(x) && math.Abs(x) <= math.MaxFloat32 }
