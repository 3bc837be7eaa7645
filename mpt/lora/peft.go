package lora

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"mptgo/mpt/checkpoint"
)

// IsFolder reports whether dir is a folder that PEFT wrote and no checkpoint: training
// scripts may leave the configuration of the model beside an adapter, but not its
// weights.
func IsFolder(dir string) bool {
	if _, err := os.Lstat(filepath.Join(dir, configName)); err != nil {
		return false
	}
	return !checkpoint.HasWeights(dir)
}

// openPEFT opens a folder.
func openPEFT(dir string) (*Adapter, error) {
	c, err := readConfig(dir)
	if err != nil {
		return nil, err
	}
	f, err := openWeights(dir)
	if err != nil {
		return nil, err
	}
	a := &Adapter{Path: dir, Format: "PEFT", Base: c.Base, Tied: c.Tied, Notes: c.notes, close: f.Close}
	if note := f.Note(); note != "" {
		a.Notes = append(a.Notes, note)
	}
	if err := a.readPEFT(f, c); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", filepath.Base(f.Path()), err)
	}
	return a, nil
}

// WeightsFile returns the name of the file with the matrices of an adapter's folder.
func WeightsFile(dir string) string {
	const safe, torch = "adapter_model.safetensors", "adapter_model.bin"
	if _, err := os.Lstat(filepath.Join(dir, safe)); err == nil {
		return safe
	}
	return torch
}

// openWeights opens the file beside the configuration.
func openWeights(dir string) (*checkpoint.Container, error) {
	f, err := checkpoint.OpenWeights(filepath.Join(dir, WeightsFile(dir)))
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	there := ""
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		switch filepath.Ext(e.Name()) {
		case ".safetensors", ".bin", ".pt", ".pth", ".ckpt":
			there += fmt.Sprintf(", %q", e.Name())
		}
	}
	if there != "" {
		there = "; there is " + there[2:]
	}
	return nil, fmt.Errorf("there is neither adapter_model.safetensors nor adapter_model.bin beside %s%s: %w",
		configName, there, fs.ErrNotExist)
}

// halves are the tensors of one module.
type halves struct {
	module    string // as PEFT calls it
	target    string
	a, b      *checkpoint.Tensor
	magnitude *checkpoint.Tensor
}

// reader sorts the tensors of a file.
type reader struct {
	config  *config
	order   []*halves
	by      map[string]*halves // by target
	adapter string             // the name of the adapter within names, if they have one
	named   bool
	whole   []Whole
	beside  int // copies of the model's own, beside what replaces them
}

func (a *Adapter) readPEFT(f *checkpoint.Container, c *config) error {
	r := &reader{config: c, by: map[string]*halves{}}
	for _, t := range f.Tensors() {
		if err := r.add(t); err != nil {
			return err
		}
	}
	for _, h := range r.order {
		p, err := r.pair(h)
		if err != nil {
			return err
		}
		a.Pairs = append(a.Pairs, p)
	}
	a.Whole = r.whole
	if r.beside > 0 {
		a.Notes = append(a.Notes,
			fmt.Sprintf("%d of the tensors in the file (original_module) are the model's own and ignored", r.beside))
	}
	for _, name := range c.saved {
		if !holds(f, name) {
			a.Notes = append(a.Notes, fmt.Sprintf("modules_to_save names %q, but the file has no tensor of it: as trained, the adapter may have changed more than this", name))
		}
	}
	return nil
}

// holds reports whether a file has a tensor of a module of that name.
func holds(f *checkpoint.Container, module string) bool {
	for _, t := range f.Tensors() {
		if !strings.Contains(t.Name, ".lora_") && strings.Contains("."+t.Name, "."+module+".") {
			return true
		}
	}
	return false
}

// add takes one tensor.
func (r *reader) add(t *checkpoint.Tensor) error {
	full := checkpoint.Unwrapped(t.Name)
	module, rest, ok := strings.Cut(full, ".lora_")
	if !ok {
		return r.addWhole(t, full)
	}
	name := checkpoint.CanonicalName(module + ".")
	target, err := matrixOf(strings.TrimSuffix(name, "."))
	if err != nil {
		return r.strange(err)
	}
	kind, rest, _ := strings.Cut(rest, ".")
	if err := r.checkEnd(t.Name, rest); err != nil {
		return err
	}
	h := r.by[target]
	if h == nil {
		h = &halves{module: strings.ReplaceAll(strings.TrimPrefix(module, "base_model.model."), ".base_layer", ""),
			target: target}
		r.by[target] = h
		r.order = append(r.order, h)
	}
	place := map[string]**checkpoint.Tensor{"A": &h.a, "B": &h.b, "magnitude_vector": &h.magnitude}
	if target == embedding {
		place = map[string]**checkpoint.Tensor{"embedding_A": &h.a, "embedding_B": &h.b,
			"magnitude_vector": &h.magnitude}
	}
	switch p := place[kind]; {
	case p == nil:
		return fmt.Errorf("tensor %s: lora_%s is not supported: %w", t.Name, kind, errors.ErrUnsupported)
	case *p != nil:
		return malformed("tensors %s and %s are the same", (*p).Name, t.Name)
	default:
		*p = t
	}
	return nil
}

// checkEnd checks what follows the kind of a tensor in its name: perhaps the name of
// the adapter, of which there may be one in a file, and "weight".
func (r *reader) checkEnd(name, end string) error {
	adapter := strings.TrimSuffix(strings.TrimSuffix("."+end, "weight"), ".")
	switch {
	case strings.HasSuffix(end, "bias"):
		return fmt.Errorf("tensor %s: a bias of B (lora_bias) is not supported: %w", name, errors.ErrUnsupported)
	case r.named && adapter != r.adapter:
		return malformed("tensor %s belongs to another adapter than those before it", name)
	}
	r.named, r.adapter = true, adapter
	return nil
}

// addWhole takes a tensor that replaces one of the model; full is its name without
// wrappers.
func (r *reader) addWhole(t *checkpoint.Tensor, full string) error {
	if strings.Contains(full, ".original_module.") {
		r.beside++
		return nil
	}
	name := checkpoint.CanonicalName(full)
	if module, rest, ok := strings.Cut(name, ".modules_to_save."); ok {
		name = module + "." + rest[strings.LastIndexByte(rest, '.')+1:]
	}
	target, ok := tensorOf(name)
	if !ok {
		return r.strange(malformed("tensor %s is not part of an MPT model", t.Name))
	}
	if strings.HasSuffix(name, ".bias") && !strings.Contains(target, "norm") {
		return fmt.Errorf("tensor %s: changed biases are not supported: %w", t.Name, errors.ErrUnsupported)
	}
	m, err := fromCheckpoint(t)
	if err != nil {
		return err
	}
	r.whole = append(r.whole, Whole{target, m, strings.Contains(full, ".base_layer.")})
	return nil
}

// strange adds to err for which model the adapter was made.
func (r *reader) strange(err error) error {
	if r.config.Base == "" {
		return err
	}
	return fmt.Errorf("%w (the adapter was made for %s)", err, r.config.Base)
}

// pair returns the change of one module.
func (r *reader) pair(h *halves) (p Pair, err error) {
	switch {
	case h.a == nil && h.b == nil:
		return p, malformed("A and B of %s are missing", h.module)
	case h.a == nil:
		return p, malformed("A of %s is missing; there is only %s", h.module, h.b.Name)
	case h.b == nil:
		return p, malformed("B of %s is missing; there is only %s", h.module, h.a.Name)
	case r.config.DoRA && h.magnitude == nil:
		return p, malformed("use_dora is set, but %s has no lora_magnitude_vector", h.module)
	case !r.config.DoRA && h.magnitude != nil:
		return p, malformed("tensor %s is there, but use_dora is not set", h.magnitude.Name)
	case len(h.a.Shape) != 2 || len(h.b.Shape) != 2:
		return p, malformed("A and B of %s have the shapes %v and %v", h.module, h.a.Shape, h.b.Shape)
	}
	p.Target = h.target
	if p.A, err = fromCheckpoint(h.a); err != nil {
		return p, err
	}
	if p.B, err = fromCheckpoint(h.b); err != nil {
		return p, err
	}
	if h.magnitude != nil {
		if p.Magnitude, err = fromCheckpoint(h.magnitude); err != nil {
			return p, err
		}
	}
	rank, alpha := r.config.rank(h.module), r.config.alpha(h.module)
	if p.A.Rows != rank {
		return p, malformed("%s has rank %d, %s says %d", h.a.Name, p.A.Rows, configName, rank)
	}
	p.Scale = alpha / float64(rank)
	if r.config.RSLoRA {
		p.Scale = alpha / math.Sqrt(float64(rank))
	}
	if p.IsTable() {
		p.A = p.A.transposed()
	}
	return p, nil
}
