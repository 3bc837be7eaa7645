package convert

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"mptgo/gguf"
	"mptgo/mpt/lora"
	"mptgo/quantize/recipes"
)

// adapterTypes are the types that the matrices of an adapter are stored as.
var adapterTypes = []gguf.Type{gguf.F32, gguf.F16, gguf.BF16, gguf.Q8_0}

// convertAdapter makes the adapter file dst from a folder that PEFT wrote. It needs no
// model: whatever scales the matrices have is multiplied into B where one alpha for all
// does not say it.
func convertAdapter(ctx context.Context, src, dst string, opt Options) (*Summary, error) {
	from, err := os.Stat(src)
	if err != nil {
		return nil, err
	}
	if err := checkBeside(from, dst); err != nil {
		return nil, err
	}
	a, err := lora.Open(src)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	a.IgnoreBelow()
	if err := a.MergeOnly(); err != nil {
		return nil, err
	}
	opt = opt.withDefaults(recipes.Recipe{})
	for _, note := range a.Notes {
		opt.Logf("%s", note)
	}
	p, err := planAdapter(a, opt.Type)
	if err != nil {
		return nil, err
	}
	noteReaders(p, opt.Logf)
	return p.write(ctx, dst, opt)
}

// planAdapter plans the file of an adapter. An empty type keeps those of the source.
func planAdapter(a *lora.Adapter, typ string) (*plan, error) {
	want, err := adapterType(typ)
	if err != nil {
		return nil, err
	}
	name, err := filepath.Abs(a.Path)
	if err != nil {
		return nil, err
	}
	alpha := a.Alpha()
	p := &plan{meta: []gguf.KV{
		{Key: "general.architecture", Value: "mpt"},
		{Key: "general.type", Value: "adapter"},
		{Key: "general.name", Value: filepath.Base(name)},
		{Key: "adapter.type", Value: "lora"},
		{Key: "adapter.lora.alpha", Value: alpha},
	}}
	if a.Base != "" {
		p.meta = append(p.meta,
			gguf.KV{Key: "general.base_model.count", Value: uint32(1)},
			gguf.KV{Key: "general.base_model.0.name", Value: a.Base})
	}
	pairs, split := separate(a.Pairs)
	for _, x := range pairs {
		p.addThin(x.Target+".lora_a", want, x.A.Rows, x.A.Cols, thinSource(x.A).whole())
		b := thinSource(x.B).whole()
		b.factor = x.Factor(alpha, x.Rank)
		p.addThin(x.Target+".lora_b", want, x.B.Rows, x.B.Cols, b)
	}
	for _, qkv := range split {
		p.addFused(qkv, want, alpha)
	}
	slices.SortStableFunc(p.tensors, byPlace)
	return p, nil
}

// noteReaders says which parts of an adapter llama.cpp cannot use.
func noteReaders(p *plan, logf func(string, ...any)) {
	for _, t := range p.tensors {
		switch name := t.info.Name; {
		case name == "token_embd.weight.lora_a":
			logf("%s: llama.cpp cannot run an adapter of the embedding with a model whose output matrix is tied to it, as MPT's is", name)
		case strings.HasSuffix(name, "attn_q.weight.lora_a"), strings.HasSuffix(name, "attn_k.weight.lora_a"), strings.HasSuffix(name, "attn_v.weight.lora_a"):
			logf("%s: queries, keys and values are not all changed, which llama.cpp cannot do; it will refuse the adapter", name)
			return
		}
	}
}

// keepType is the type of tensors that are stored as they are.
const keepType gguf.Type = math.MaxUint32

func adapterType(name string) (gguf.Type, error) {
	if name == "" {
		return keepType, nil
	}
	t, err := gguf.ParseType(name)
	if err == nil && slices.Contains(adapterTypes, t) {
		return t, nil
	}
	var names []string
	for _, t := range adapterTypes {
		names = append(names, t.String())
	}
	return 0, fmt.Errorf("an adapter cannot be stored as %s: choose one of %s, or give no type to keep its types", name, strings.Join(names, ", "))
}

// thinSource returns a matrix of an adapter as a source.
func thinSource(m *lora.Matrix) source {
	return source{typ: m.Type, rows: m.Rows, rowBytes: m.RowBytes(), read: m.ReadRows}
}

// addThin adds a matrix of rows of cols values. Where its type is to be kept, one that
// is multiplied by something becomes float32, so that nothing is rounded twice.
func (p *plan) addThin(name string, want gguf.Type, rows, cols int, parts ...part) {
	typ := want
	if want == keepType {
		typ = widest(parts)
		if typ == gguf.F64 || slices.ContainsFunc(parts, func(q part) bool { return q.factor != 1 }) {
			typ = gguf.F32
		}
	}
	if values, _ := typ.Block(); cols%values != 0 {
		typ = gguf.F16
	}
	p.tensors = append(p.tensors, output{info: gguf.TensorInfo{Name: name, Type: typ, Shape: []int{cols, rows}}, row: cols, parts: parts})
}

// separate parts the changes of queries, keys and values, where a block has all three,
// from the others: a model file has one matrix for them. Where some are missing, the
// size of the matrix is not known, and they stay under names of their own, which
// llama.cpp refuses.
func separate(pairs []lora.Pair) (whole []lora.Pair, split [][3]lora.Pair) {
	by := map[string]lora.Pair{}
	for _, p := range pairs {
		by[p.Target] = p
	}
	block := func(target string) (q, k, v string, ok bool) {
		for _, end := range []string{"attn_q.weight", "attn_k.weight", "attn_v.weight"} {
			if s, cut := strings.CutSuffix(target, end); cut {
				q, k, v = s+"attn_q.weight", s+"attn_k.weight", s+"attn_v.weight"
				_, hasQ := by[q]
				_, hasK := by[k]
				_, hasV := by[v]
				return q, k, v, hasQ && hasK && hasV
			}
		}
		return "", "", "", false
	}
	for _, p := range pairs {
		q, k, v, all := block(p.Target)
		switch {
		case !all:
			whole = append(whole, p)
		case p.Target == q:
			split = append(split, [3]lora.Pair{p, by[k], by[v]})
		}
	}
	return whole, split
}

// addFused adds the changes of queries, keys and values as one of the fused matrix: A is
// all their rows, B has the three on its diagonal.
func (p *plan) addFused(qkv [3]lora.Pair, want gguf.Type, alpha float32) {
	target := strings.TrimSuffix(qkv[0].Target, "q.weight") + "qkv.weight"
	rank := qkv[0].Rank + qkv[1].Rank + qkv[2].Rank
	var a, b []part
	before, rows := 0, 0
	for i := range qkv {
		x := &qkv[i]
		a = append(a, thinSource(x.A).whole())
		b = append(b, diagonal(x.B, before, rank, x.Factor(alpha, rank)).whole())
		before += x.Rank
		rows += x.Out
	}
	if want == keepType {
		want = gguf.F32
		for i := range a {
			if !slices.ContainsFunc(a, func(q part) bool { return q.src.typ != a[i].src.typ }) {
				want = keepType
			}
		}
	}
	p.addThin(target+".lora_a", want, rank, qkv[0].In, a...)
	p.addThin(target+".lora_b", want, rows, rank, b...)
}

// diagonal returns b times factor as float32 in rows of cols values, before of which are
// zero.
func diagonal(b *lora.Matrix, before, cols int, factor float32) source {
	values := sync.OnceValues(b.Floats)
	s := source{typ: gguf.F32, rows: b.Rows, rowBytes: 4 * cols}
	s.read = func(dst []byte, r0, r1 int) error {
		v, err := values()
		if err != nil {
			return err
		}
		clear(dst)
		for r := r0; r < r1; r++ {
			row := dst[((r-r0)*cols+before)*4:]
			for c, x := range v[r*b.Cols : (r+1)*b.Cols] {
				binary.LittleEndian.PutUint32(row[4*c:], math.Float32bits(x*factor))
			}
		}
		return nil
	}
	return s
}
