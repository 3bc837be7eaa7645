package convert

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"mptgo/gguf"
	"mptgo/mpt/checkpoint"
	"mptgo/quantize/recipes"
)

// maxVocab bounds the rows of the embedding, for each of which the vocabulary needs a
// token.
const maxVocab = 1 << 20

// A model collects the tensors of a checkpoint under the names of GGUF.
type model struct {
	ck     *checkpoint.Checkpoint
	cfg    *checkpoint.Config
	logf   func(string, ...any)
	taken  map[string]bool
	vocab  int // rows of the embedding
	scales scales
	out    []output
}

// openCheckpoint plans the conversion of the checkpoint in the folder dir.
func openCheckpoint(dir string, recipe recipes.Recipe, opt Options) (*plan, func() error, error) {
	ck, err := checkpoint.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	p, err := planCheckpoint(ck, recipe, opt)
	if err != nil {
		ck.Close()
		return nil, nil, fmt.Errorf("%s: %w", dir, err)
	}
	return p, func() error { return errors.Join(p.closeAll(), ck.Close()) }, nil
}

// recipeOf returns the recipe that keeps the type of a checkpoint's weights.
func recipeOf(ck *checkpoint.Checkpoint) (recipes.Recipe, error) {
	name := "F32"
	if t, ok := ck.Tensor("wte.weight"); ok && (t.DType == "F16" || t.DType == "BF16") {
		name = t.DType
	}
	return recipes.Parse(name)
}

func planCheckpoint(ck *checkpoint.Checkpoint, recipe recipes.Recipe, opt Options) (*plan, error) {
	if recipe.Name == "" {
		var err error
		if recipe, err = recipeOf(ck); err != nil {
			return nil, err
		}
	}
	m := &model{ck: ck, cfg: ck.Config, logf: opt.Logf, taken: map[string]bool{}}
	for _, note := range ck.Notes() {
		m.logf("%s", note)
	}
	if ck.IsAdapter() && !opt.merge {
		m.logf("the adapter that lies beside the model (adapter_config.json) is not merged into it: for that, mpt merge-lora %s %s OUT.gguf", ck.Dir(), ck.Dir())
	}
	if err := m.cfg.Validate(); err != nil {
		return nil, err
	}
	m.scales = newScales(m.cfg)
	if err := m.collect(); err != nil {
		return nil, err
	}
	title, err := files{m.ck.File, m.ck.Dir(), m.vocab, m.logf}.title()
	if err != nil {
		return nil, err
	}
	if title.from != "" {
		m.logf("the model is called %q, after %s", title.name, title.from)
	}
	p := &plan{tensors: m.out}
	p.layout = layout{name: title.name, queries: m.cfg.NHeads * m.cfg.HeadDim, scales: m.scales}
	if err := opt.edit(p); err != nil {
		return nil, errors.Join(err, p.closeAll())
	}
	vocab, err := m.chooseTokens(p.tokens)
	if err != nil {
		return nil, errors.Join(err, p.closeAll())
	}
	if err := p.choose(recipe, m.cfg.NLayers, opt); err != nil {
		return nil, errors.Join(err, p.closeAll())
	}
	p.meta = append(m.metadata(title, recipe, p.quantized()), vocab.Meta()...)
	p.meta = append(p.meta, opt.imatrixKeys()...)
	return p, nil
}

// collect takes every tensor that the configuration calls for and refuses a
// checkpoint that holds others.
func (m *model) collect() error {
	if err := m.refuseForeign(); err != nil {
		return err
	}
	wte, err := m.find("wte.weight")
	if err != nil {
		return err
	}
	if m.vocab = wte.Rows(); m.vocab > maxVocab {
		return fmt.Errorf("%w: the embedding has %d rows, more than the %d of the largest vocabulary that is believed", checkpoint.ErrFormat, m.vocab, maxVocab)
	}
	if m.cfg.ExplicitVocab && m.vocab != m.cfg.VocabSize {
		m.logf("config.json: vocab_size is %d, but the embedding has %d rows; the embedding counts", m.cfg.VocabSize, m.vocab)
	}
	if err := m.matrix("token_embd.weight", "wte.weight", m.vocab, m.cfg.DModel); err != nil {
		return err
	}
	if err := m.positions(); err != nil {
		return err
	}
	for i := range m.cfg.NLayers {
		if err := m.block(i); err != nil {
			return err
		}
	}
	if err := m.norm("output_norm", "norm_f", m.scales.outputNorm); err != nil {
		return err
	}
	if err := m.head(wte); err != nil {
		return err
	}
	return m.refuseRest()
}

// positions takes the table of learned positions. Old configurations ask for one that
// their code did not have, or do not mention the one that it had: the tensor counts.
func (m *model) positions() error {
	const name = "wpe.weight"
	_, ok := m.ck.Tensor(name)
	if !m.cfg.LearnedPosEmb && (!ok || m.cfg.Attn.ALiBi || m.cfg.Attn.RoPE) {
		return nil
	}
	return m.matrix("position_embd.weight", name, m.cfg.MaxSeqLen, m.cfg.DModel)
}

// head takes the output matrix of a model that has one of its own. Where the embeddings
// are said to be tied, a copy is left out, and another matrix counts, as in transformers 5.
func (m *model) head(wte *checkpoint.Tensor) error {
	const name = "lm_head.weight"
	if m.cfg.TieWordEmbeddings {
		head, ok := m.ck.Tensor(name)
		if !ok {
			return nil
		}
		if m.ck.Streamed() && !head.SameData(wte) {
			m.logf("%s is there beside wte.weight, to which config.json says that it is tied: "+
				"the two are read and compared first, and come once more", name)
		}
		same, err := sameValues(head, wte)
		if err != nil {
			return err
		}
		if same {
			m.taken[name] = true
			return nil
		}
		m.logf("%s differs from wte.weight: it is kept as an output matrix of its own, although config.json says that the two are tied "+
			"(transformers 5 does the same, older ones leave it out)", name)
	}
	return m.matrix("output.weight", name, m.vocab, m.cfg.DModel)
}

func (m *model) find(name string) (*checkpoint.Tensor, error) {
	t, ok := m.ck.Tensor(name)
	if !ok {
		return nil, fmt.Errorf("%w: tensor %s is missing", checkpoint.ErrFormat, name)
	}
	return t, nil
}

// take returns a tensor after checking its shape.
func (m *model) take(name string, shape ...int) (source, error) {
	t, err := m.find(name)
	if err != nil {
		return source{}, err
	}
	if !slices.Equal(t.Shape, shape) {
		return source{}, fmt.Errorf("%w: tensor %s has the shape %v, config.json calls for %v", checkpoint.ErrFormat, name, t.Shape, shape)
	}
	typ, err := t.Type()
	if err != nil {
		return source{}, err
	}
	m.taken[name] = true
	return source{typ: typ, rows: t.Rows(), rowBytes: t.RowBytes(), read: t.ReadRows, tensor: t}, nil
}

func (m *model) matrix(to, from string, rows, cols int) error {
	s, err := m.take(from, rows, cols)
	if err != nil {
		return err
	}
	m.add(to, s.typ, []int{cols, rows}, s.whole())
	return nil
}

func (m *model) add(name string, typ gguf.Type, ne []int, parts ...part) {
	m.out = append(m.out, output{info: gguf.TensorInfo{Name: name, Type: typ, Shape: ne}, row: ne[0], parts: parts})
}

// foreign are the tensors, by the end of their names, that show a feature which is
// not supported.
var foreign = []struct{ suffix, feature string }{
	{"router.layer.weight", "mixture of experts"},
	{".qweight", "weights quantised by another program"},
	{".qzeros", "weights quantised by another program"},
	{".scales", "weights quantised by another program"},
	{".absmax", "weights quantised by another program"},
	{"score.weight", "a classification head"},
	{"flat_param", "weights that FSDP has flattened (save a full state dictionary instead)"},
}

// unmerged are the parts of names that show an adapter in a model.
var unmerged = []string{".lora_", ".modules_to_save.", ".original_module."}

func (m *model) refuseForeign() error {
	for _, t := range m.ck.Tensors() {
		if slices.ContainsFunc(unmerged, func(part string) bool { return strings.Contains(t.Name, part) }) {
			return fmt.Errorf("tensor %s: this checkpoint has an unmerged adapter: merge it before saving (merge_and_unload of PEFT), "+
				"or save it as an adapter (save_pretrained) and give that to merge-lora: %w", t.Name, errors.ErrUnsupported)
		}
		for _, f := range foreign {
			if strings.HasSuffix(t.Name, f.suffix) && !strings.HasSuffix(t.Name, actScales) {
				return fmt.Errorf("tensor %s: %s cannot be converted yet: %w", t.Name, f.feature, errors.ErrUnsupported)
			}
		}
	}
	return nil
}

func (m *model) refuseRest() error {
	for _, t := range m.ck.Tensors() {
		if !m.taken[t.Name] {
			return fmt.Errorf("%w: tensor %s is not part of the model that config.json describes", checkpoint.ErrFormat, t.Name)
		}
	}
	return nil
}
