package convert

import (
	"errors"
	"fmt"
	"slices"

	"mptgo/gguf"
	"mptgo/mpt/checkpoint"
)

// actScales ends the names of vectors that AWQ, a way to quantise, divides the
// activations of the feed-forward layer by.
const actScales = "ffn.act.scales"

// block takes the tensors of transformer block i.
func (m *model) block(i int) error {
	to, from := fmt.Sprintf("blk.%d.", i), fmt.Sprintf("blocks.%d.", i)
	c := m.cfg
	d, f, width := c.DModel, c.FFN.HiddenSize, c.NHeads*c.HeadDim
	return errors.Join(
		m.norm(to+"attn_norm", from+"norm_1", 1),
		m.qkv(to, from+"attn.", c.Blocks[i].KVSource == i),
		m.qkNorms(to, from+"attn.", c.Blocks[i].KVSource == i),
		m.linear(to+"attn_output", from+"attn.out_proj", d, width),
		m.norm(to+"ffn_norm", from+"norm_2", 1),
		m.gate(to+"ffn_gate", from+"ffn.gate_proj", f, d),
		m.linear(to+"ffn_up", from+"ffn.up_proj", f, d),
		m.vectorIfAny(to+actScales, from+actScales, f),
		m.linear(to+"ffn_down", from+"ffn.down_proj", d, f),
	)
}

// linear takes a matrix and its bias.
func (m *model) linear(to, from string, rows, cols int) error {
	if err := m.matrix(to+".weight", from+".weight", rows, cols); err != nil {
		return err
	}
	return m.bias(to, from, rows, 1)
}

func (m *model) gate(to, from string, rows, cols int) error {
	if m.cfg.FFN.Type != "mptglu" {
		return nil
	}
	return m.linear(to, from, rows, cols)
}

// norm takes the weight and the bias of one of the model's norms.
func (m *model) norm(to, from string, factor float32) error {
	return m.normOf(to, from, m.cfg.DModel, factor, checkpoint.IsRMS(m.cfg.NormType))
}

func (m *model) normOf(to, from string, n int, factor float32, rms bool) error {
	if err := m.vector(to+".weight", from+".weight", n, factor); err != nil || rms {
		return err
	}
	return m.bias(to, from, n, factor)
}

// vector takes a tensor of one dimension.
func (m *model) vector(to, from string, n int, factor float32) error {
	s, err := m.take(from, n)
	if err != nil {
		return err
	}
	m.addVector(to, n, part{s, 0, n, factor})
	return nil
}

func (m *model) addVector(name string, n int, parts ...part) {
	m.add(name, parts[0].src.typ, []int{n}, parts...)
	m.out[len(m.out)-1].row = 1
}

func (m *model) vectorIfAny(to, from string, n int) error {
	if _, ok := m.ck.Tensor(from); !ok {
		return nil
	}
	return m.vector(to, from, n, 1)
}

// bias takes the bias of a matrix or norm, if there is one and no_bias does not
// forbid it.
func (m *model) bias(to, from string, n int, factor float32) error {
	ok, err := m.hasBias(from+".bias", m.cfg.ExplicitBias, !m.cfg.NoBias, "no_bias")
	if !ok {
		return err
	}
	return m.vector(to+".bias", from+".bias", n, factor)
}

// hasBias reports whether a bias is to be taken: whether there is one. If the
// configuration says by the given field whether there must be, it has to agree.
func (m *model) hasBias(name string, explicit, want bool, field string) (bool, error) {
	_, ok := m.ck.Tensor(name)
	if explicit && ok != want {
		word := map[bool]string{true: "there", false: "missing"}[ok]
		return false, fmt.Errorf("%w: tensor %s is %s, against %s in config.json",
			checkpoint.ErrFormat, name, word, field)
	}
	return ok, nil
}

// A piece is a part of the projection to queries, keys and values.
type piece struct {
	name   string // of its tensors
	rows   int
	factor float32
}

// qkv takes the projection to queries, keys and values, one matrix or three; the
// rows of the queries come first. A block that uses the keys and values of another has
// queries only.
func (m *model) qkv(to, from string, ownKV bool) error {
	c := m.cfg
	width, keys := c.NHeads*c.HeadDim, c.Attn.KVHeads*c.HeadDim
	query := piece{from + "Wq", width, m.scales.query}
	if !ownKV {
		return m.pieces(to+"attn_q", query)
	}
	if _, fused := m.ck.Tensor(from + "Wqkv.weight"); !fused {
		err := m.pieces(to+"attn_qkv", query, piece{from + "Wk", keys, 1}, piece{from + "Wv", keys, 1})
		if err != nil {
			return fmt.Errorf("%w (nor is there a fused %sWqkv.weight)", err, from)
		}
		return nil
	}
	return m.fused(to+"attn_qkv", from+"Wqkv", width, keys)
}

// fused takes a projection that is one matrix.
func (m *model) fused(to, from string, width, keys int) error {
	rows := width + 2*keys
	s, err := m.take(from+".weight", rows, m.cfg.DModel)
	if err != nil {
		return err
	}
	m.add(to+".weight", s.typ, []int{m.cfg.DModel, rows}, m.scaled(s, width)...)
	if ok, err := m.qkvBias(from + ".bias"); !ok {
		return err
	}
	if s, err = m.take(from+".bias", rows); err != nil {
		return err
	}
	m.addVector(to+".bias", rows, m.scaled(s, width)...)
	return nil
}

// scaled returns the rows of s with the factor of the queries on the first ones.
func (m *model) scaled(s source, queries int) []part {
	if m.scales.query == 1 {
		return []part{s.whole()}
	}
	return []part{{s, 0, queries, m.scales.query}, {s, queries, s.rows - queries, 1}}
}

// qkvBias is hasBias for the projections to queries, keys and values.
func (m *model) qkvBias(name string) (bool, error) {
	if m.cfg.ExplicitAttentionBias {
		return m.hasBias(name, true, m.cfg.AttentionBias, "attention_bias")
	}
	return m.hasBias(name, m.cfg.ExplicitBias, !m.cfg.NoBias, "no_bias")
}

// pieces takes matrices, and their biases, as one matrix.
func (m *model) pieces(to string, pieces ...piece) error {
	weights, biases, rows := []part(nil), []part(nil), 0
	for _, p := range pieces {
		s, err := m.take(p.name+".weight", p.rows, m.cfg.DModel)
		if err != nil {
			return err
		}
		weights = append(weights, part{s, 0, p.rows, p.factor})
		rows += p.rows
		switch ok, err := m.qkvBias(p.name + ".bias"); {
		case err != nil:
			return err
		case ok:
			if s, err = m.take(p.name+".bias", p.rows); err != nil {
				return err
			}
			biases = append(biases, part{s, 0, p.rows, p.factor})
		}
	}
	m.add(to+".weight", widest(weights), []int{m.cfg.DModel, rows}, weights...)
	switch len(biases) {
	case 0:
		return nil
	case len(pieces):
		m.addVector(to+".bias", rows, biases...)
		return nil
	}
	return fmt.Errorf("%w: only some of %s and its neighbours have a bias", checkpoint.ErrFormat, pieces[0].name)
}

// widest returns the type of the first part that has the most bytes for a value, so
// that a tensor whose type is that of its source loses nothing.
func widest(parts []part) gguf.Type {
	return slices.MaxFunc(parts, func(a, b part) int {
		_, x := a.src.typ.Block()
		_, y := b.src.typ.Block()
		return x - y
	}).src.typ
}

// qkNorms takes the norms of queries and keys.
func (m *model) qkNorms(to, from string, ownKV bool) error {
	c := m.cfg
	queries, keys := c.NHeads*c.HeadDim, c.Attn.KVHeads*c.HeadDim
	switch {
	case c.Attn.QKGN:
		queries, keys = c.HeadDim, c.HeadDim
	case !c.Attn.QKLN:
		return nil
	}
	rms := checkpoint.IsRMS(c.Attn.NormType)
	err := m.normOf(to+"attn_q_norm", from+"q_ln", queries, m.scales.queryNorm, rms)
	if ownKV {
		err = errors.Join(err, m.normOf(to+"attn_k_norm", from+"k_ln", keys, 1, rms))
	}
	return err
}
