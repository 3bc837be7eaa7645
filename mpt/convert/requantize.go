package convert

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mptgo/gguf"
	"mptgo/quantize"
	"mptgo/quantize/recipes"
)

// openGGUF plans the conversion of a GGUF file to other types. Its keys are kept in
// order; tensors are sorted, as other programs do it.
func openGGUF(path string, recipe recipes.Recipe, opt Options) (*plan, func() error, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, nil, err
	}
	p, err := planGGUF(f, recipe, opt)
	if err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, func() error { return errors.Join(p.closeAll(), f.Close()) }, nil
}

func planGGUF(f *gguf.File, recipe recipes.Recipe, opt Options) (*plan, error) {
	blocks, err := checkModel(f)
	if err != nil {
		return nil, err
	}
	p := &plan{meta: f.ModelMeta()}
	if p.layout, err = layoutOf(f); err != nil {
		return nil, err
	}
	for _, t := range f.Tensors() {
		s := source{typ: t.Type, rows: t.Rows(), rowBytes: t.RowBytes(), read: t.ReadRows}
		p.tensors = append(p.tensors, output{info: t.Info(), row: t.Shape[0], parts: []part{s.whole()}})
	}
	if err := opt.edit(p); err != nil {
		return nil, errors.Join(err, p.closeAll())
	}
	if p.meta, err = chooseKeys(p.meta, p.tokens, opt.Logf); err != nil {
		return nil, errors.Join(err, p.closeAll())
	}
	slices.SortStableFunc(p.tensors, byPlace)
	if recipe.Name == "" { // types stay
		return p, nil
	}
	p.meta = requantizedMeta(p.meta, recipe, opt)
	if err := p.choose(recipe, blocks, opt); err != nil {
		return nil, errors.Join(err, p.closeAll())
	}
	for _, t := range p.tensors {
		if err := checkRequantize(t, opt.AllowRequantize); err != nil {
			return nil, errors.Join(err, p.closeAll())
		}
	}
	return p, nil
}

// checkModel refuses files whose tensors the recipes know nothing about. It returns
// the number of blocks.
func checkModel(f *gguf.File) (blocks int, err error) {
	arch, err := gguf.Get[string](f, "general.architecture")
	if err != nil {
		return 0, err
	}
	kind, err := gguf.GetOr(f, "general.type", "model")
	if err != nil {
		return 0, err
	}
	if arch != "mpt" || kind != "model" {
		return 0, fmt.Errorf("a file of architecture %q and type %q: only models of architecture mpt can be converted: %w", arch, kind, errors.ErrUnsupported)
	}
	if len(f.Tensors()) == 0 {
		return 0, fmt.Errorf("there are no tensors in it: %w", gguf.ErrFormat)
	}
	return gguf.Get[int](f, "mpt.block_count")
}

// requantizedMeta returns the keys of a model in order and, after them, those that a
// change of types sets.
func requantizedMeta(meta []gguf.KV, recipe recipes.Recipe, opt Options) []gguf.KV {
	set := append([]gguf.KV{
		{Key: "general.quantization_version", Value: quantizationVersion},
		{Key: "general.file_type", Value: recipe.FileType},
	}, opt.imatrixKeys()...)
	var kv []gguf.KV
	for _, k := range meta {
		if !slices.ContainsFunc(set, func(s gguf.KV) bool { return s.Key == k.Key }) {
			kv = append(kv, k)
		}
	}
	return append(kv, set...)
}

// checkRequantize refuses to change the type of a tensor that is quantised already,
// unless that is allowed, and types that cannot be read.
func checkRequantize(t output, allow bool) error {
	src := t.parts[0].src
	from, to := max(src.typ, src.origin), t.info.Type
	if from == to {
		return nil
	}
	if isQuantized(from) && !allow {
		return fmt.Errorf("tensor %s is %v already; converting it to %v loses quality twice: "+
			"start from the original weights, or allow to quantise again", t.info.Name, from, to)
	}
	if _, ok := quantize.Lookup(from); !ok && from != gguf.F64 {
		return fmt.Errorf("tensor %s: %v cannot be read yet: %w", t.info.Name, from, errors.ErrUnsupported)
	}
	return nil
}

// byPlace orders the tensors outside blocks by name, then those of blocks by the
// number of the block and by name.
func byPlace(a, b output) int {
	i, j := blockOf(a.info.Name), blockOf(b.info.Name)
	return cmp.Or(cmp.Compare(i, j), strings.Compare(a.info.Name, b.info.Name))
}

// blockOf returns the number of the block that a tensor belongs to, or -1.
func blockOf(name string) int {
	rest, ok := strings.CutPrefix(name, "blk.")
	number, _, _ := strings.Cut(rest, ".")
	if i, err := strconv.Atoi(number); ok && err == nil {
		return i
	}
	return -1
}
