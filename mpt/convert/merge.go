package convert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mptgo/gguf"
	"mptgo/mpt/lora"
	"mptgo/quantize/recipes"
)

// AdapterFile is an adapter and the factor that its change is multiplied by.
type AdapterFile struct {
	Path  string
	Scale float32
}

// Merge makes the model file dst: the model base, which is a checkpoint folder or a GGUF
// file, with the changes of adapters in its weights. These are computed in float32 and
// stored as opt.Type or, if that is empty, as the types of base.
//
// Other than at run time, adapters with DoRA and with whole tensors can be used. If the
// embedding is changed and the output matrix is tied to it, the output matrix stays that
// of base, as in transformers, and becomes a tensor of its own.
//
// Adapters are kept in memory as float32. Options and failures are as for [Convert].
func Merge(ctx context.Context, base string, adapters []AdapterFile, dst string, opt Options) (*Summary, error) {
	s, err := merge(ctx, base, adapters, dst, opt)
	if err != nil {
		return nil, fmt.Errorf("merge: %w", err)
	}
	return s, nil
}

func merge(ctx context.Context, base string, adapters []AdapterFile, dst string, opt Options) (*Summary, error) {
	var recipe recipes.Recipe
	if opt.Type != "" {
		var err error
		if recipe, err = recipes.Parse(opt.Type); err != nil {
			return nil, err
		}
	}
	opt = opt.withDefaults(recipe)
	if lora.IsFolder(base) {
		return nil, fmt.Errorf("%s: an adapter, not a model: the model comes first, adapters follow", base)
	}
	opt.merge = true
	opt.edit = func(p *plan) error {
		for _, f := range adapters {
			if err := p.merge(f, opt.Logf); err != nil {
				return err
			}
		}
		return nil
	}
	p, done, err := open(base, dst, recipe, opt)
	if err != nil {
		return nil, err
	}
	defer done()
	return p.write(ctx, dst, opt)
}

// layout is what must be known of a model to find the weights that an adapter changes.
type layout struct {
	name    string
	queries int // rows of queries in the fused projection
	scales  scales
	folded  bool // sources hold the weights with the scales multiplied in
}

// layoutOf reads the layout of a model file.
func layoutOf(f *gguf.File) (l layout, err error) {
	l.folded = true
	integer := func(key string, absent int) int {
		n, e := gguf.GetOr(f, "mpt."+key, int64(absent))
		err = errors.Join(err, e)
		return int(n)
	}
	factor := func(key string) float32 {
		x, e := gguf.GetOr(f, "mpt.ext."+key, float32(1))
		err = errors.Join(err, e)
		return x
	}
	l.name, err = gguf.GetOr(f, "general.name", "")
	heads := max(integer("attention.head_count", 1), 1)
	l.queries = heads * integer("attention.key_length", integer("embedding_length", 0)/heads)
	l.scales = scales{query: factor("query_factor"), queryNorm: factor("query_norm_factor"), outputNorm: factor("output_norm_factor")}
	return l, err
}

// factor returns what row r of a tensor of the file is multiplied by.
func (l *layout) factor(name string, r int) float32 {
	switch {
	case strings.HasPrefix(name, "output_norm."):
		return l.scales.outputNorm
	case strings.Contains(name, ".attn_q_norm."):
		return l.scales.queryNorm
	case strings.HasSuffix(name, ".attn_q.weight"), strings.HasSuffix(name, ".attn_qkv.weight") && r < l.queries:
		return l.scales.query
	}
	return 1
}

// merge adds the changes of one adapter to the plan.
func (p *plan) merge(f AdapterFile, logf func(string, ...any)) error {
	if f.Scale-f.Scale != 0 {
		return fmt.Errorf("%s: a scale of %v: want a finite number", f.Path, f.Scale)
	}
	a, err := lora.Open(f.Path)
	if err != nil {
		return err
	}
	p.close = append(p.close, a.Close)
	if err := a.Ignore(p.rows); err != nil {
		return err
	}
	if err := a.MergeOnly(); err != nil && f.Scale != 1 {
		return fmt.Errorf("%s: whole tensors and DoRA have no scale but 1, not %v", f.Path, f.Scale)
	}
	for _, note := range a.Notes {
		logf("%s: %s", f.Path, note)
	}
	if err := p.resize(a, logf); err != nil {
		return err
	}
	// What lies below a change is the model's own, of a tied output matrix, too.
	if err := p.replace(a, true); err != nil {
		return err
	}
	if err := p.joinWhole(a); err != nil {
		return err
	}
	if err := p.untie(a, logf); err != nil {
		return err
	}
	if err := p.replace(a, false); err != nil {
		return err
	}
	quantized := 0
	for i := range a.Pairs {
		x := &a.Pairs[i]
		o, from, err := p.place(a, x.Target, x.Out, x.In, x.IsTable())
		if err != nil {
			return err
		}
		if isQuantized(o.info.Type) {
			quantized++
		}
		p.change(o, from, newChange(x, f.Scale))
	}
	if quantized > 0 {
		logf("%s: %d quantised matrices are decoded, changed and quantised again, which costs quality: "+
			"merge into the original weights, or use the adapter beside the model", f.Path, quantized)
	}
	return nil
}

// replace puts whole tensors in place, those below changes or the others.
func (p *plan) replace(a *lora.Adapter, below bool) error {
	for _, w := range a.Whole {
		if w.Below != below {
			continue
		}
		o, from, err := p.placeWhole(a, w)
		if err != nil {
			return err
		}
		p.change(o, from, newReplacement(w, o.row))
	}
	return nil
}

// find returns the tensor of the given name.
func (p *plan) find(name string) *output {
	i := slices.IndexFunc(p.tensors, func(o output) bool { return o.info.Name == name })
	if i < 0 {
		return nil
	}
	return &p.tensors[i]
}

// untie gives a model an output matrix of its own, if it has none and an adapter
// changes it or the embedding alone.
func (p *plan) untie(a *lora.Adapter, logf func(string, ...any)) error {
	const in, out = embeddingName, outputName
	changes := false
	for _, x := range a.Pairs {
		changes = changes || x.Target == in || x.Target == out
	}
	for _, w := range a.Whole {
		changes = changes || !w.Below && (w.Target == in || w.Target == out)
	}
	wte := p.find(in)
	if !changes || wte == nil || p.find(out) != nil || a.Tied && p.changesOne(a, in, out) {
		return nil
	}
	head := *wte
	head.info.Name, head.info.Shape, head.parts = out, slices.Clone(wte.info.Shape), slices.Clone(wte.parts)
	p.tensors = append(p.tensors, head)
	logf("%s: the embedding and the output matrix of the model are one; the adapter changes one of them, so each becomes a tensor of its own", a.Path)
	return nil
}

// changesOne reports whether an adapter changes one of two tensors only, and has the other
// changed with it.
func (p *plan) changesOne(a *lora.Adapter, in, out string) bool {
	has := map[string]bool{}
	for _, x := range a.Pairs {
		has[x.Target] = true
	}
	for _, w := range a.Whole {
		has[w.Target] = true
	}
	return has[in] && !has[out]
}

// rows returns a tensor of the plan by the name that adapters have for it.
func (p *plan) rows(target string) (lora.Rows, bool) {
	o, from, rows := p.find(target), 0, 0
	if o == nil && target == outputName {
		o = p.find(embeddingName)
	}
	if o == nil {
		if o, from, rows = p.within(target); o == nil {
			return lora.Rows{}, false
		}
	} else {
		rows = o.rowCount()
	}
	typ := o.parts[0].src.typ
	if slices.ContainsFunc(o.parts, func(q part) bool { return q.src.typ != typ }) {
		return lora.Rows{}, false
	}
	r := lora.Rows{Type: typ, Rows: rows, Cols: o.info.Shape[0]}
	r.Read = func(dst []byte, r0, r1 int) error { return o.readRows(dst, from+r0, from+r1) }
	if p.layout.folded || o.folded {
		r.Factor = func(row int) float32 { return p.layout.factor(o.info.Name, from+row) }
	}
	return r, true
}

// rowCount returns the number of rows of a tensor; a vector is one.
func (o *output) rowCount() int {
	n := 1
	for _, d := range o.info.Shape[1:] {
		n *= d
	}
	return n
}

// readRows reads rows of a tensor as they are in the source.
func (o *output) readRows(dst []byte, r0, r1 int) error {
	if len(o.info.Shape) == 1 { // a vector has its values for rows
		r0, r1 = r0*o.info.Shape[0], r1*o.info.Shape[0]
	}
	first := 0
	for _, q := range o.parts {
		a, b := max(r0-first, 0), min(r1-first, q.rows)
		if a < b {
			n := (b - a) * q.src.rowBytes
			if err := q.src.read(dst[:n], q.first+a, q.first+b); err != nil {
				return err
			}
			dst = dst[n:]
		}
		first += q.rows
	}
	return nil
}

// place returns the tensor that a change belongs to and the row that it begins with.
func (p *plan) place(a *lora.Adapter, target string, rows, cols int, table bool) (o *output, from int, err error) {
	if table {
		rows, cols = cols, rows
	}
	o = p.find(target)
	have := 0
	if o != nil && len(o.info.Shape) == 2 {
		have = o.info.Shape[1]
	} else if o == nil {
		o, from, have = p.within(target)
	}
	made := ""
	if a.Base != "" {
		made = fmt.Sprintf(": it was made for %s, the model is %s", a.Base, p.layout.name)
	}
	switch {
	case o == nil:
		return nil, 0, fmt.Errorf("%s: it changes %s, which the model does not have%s", a.Path, target, made)
	case have != rows || o.info.Shape[0] != cols:
		return nil, 0, fmt.Errorf("%s: its change of %s is for %d rows of %d, the model has %d rows of %d%s", a.Path, target, rows, cols, have, o.info.Shape[0], made)
	}
	return o, from, nil
}

// within returns the rows of the fused projection that stand for a separate one. How
// many are keys follows from its size: llama.cpp's converter does not say it where all
// queries share them.
func (p *plan) within(target string) (o *output, from, rows int) {
	queries := p.layout.queries
	for i, end := range []string{"attn_q.weight", "attn_k.weight", "attn_v.weight"} {
		s, ok := strings.CutSuffix(target, end)
		if !ok {
			continue
		}
		o = p.find(s + "attn_qkv.weight")
		if o == nil || len(o.info.Shape) != 2 || queries < 1 || queries > o.info.Shape[1] {
			return nil, 0, 0
		}
		keys := (o.info.Shape[1] - queries) / 2
		return o, []int{0, queries, queries + keys}[i], []int{queries, keys, keys}[i]
	}
	return nil, 0, 0
}

// placeWhole is place for a tensor that is replaced.
func (p *plan) placeWhole(a *lora.Adapter, w lora.Whole) (o *output, from int, err error) {
	if o = p.find(w.Target); o != nil && len(o.info.Shape) == 1 {
		if n := o.info.Shape[0]; w.Value.Rows != 1 || w.Value.Cols != n {
			return nil, 0, fmt.Errorf("%s: %s has %d x %d values, the model's %d", a.Path, w.Value.Name, w.Value.Rows, w.Value.Cols, n)
		}
		return o, 0, nil
	}
	return p.place(a, w.Target, w.Value.Rows, w.Value.Cols, false)
}
