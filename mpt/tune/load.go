package tune

import (
	"fmt"
	"maps"
	"slices"

	"mptgo/mpt/lora"
)

// loadAdapter sets the adapter to that of a folder or file, which must change the same matrices with the
// same ranks. Separate changes of queries, keys and values are taken if they have the same A.
func (t *Trainer) loadAdapter(path string) error {
	a, err := lora.Open(path)
	if err != nil {
		return err
	}
	defer a.Close()
	if err := a.MergeOnly(); err != nil {
		return err
	}
	pairs := map[string]*lora.Pair{}
	for i := range a.Pairs {
		pairs[a.Pairs[i].Target] = &a.Pairs[i]
	}
	p := t.model.Parameters()
	for _, m := range t.modules {
		if err := t.load(m, matrices(&p.Layers[m.layer])[m.kind].Name, pairs, path); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		return fmt.Errorf("tune: %s changes %s, which is not to be trained: choose --lora-target and --lora-layers of that adapter", path, name)
	}
	t.pack()
	return t.net.e.Err()
}

// load sets the change of one matrix, by its name in the model, and removes what it took from pairs.
func (t *Trainer) load(m *module, name string, pairs map[string]*lora.Pair, path string) error {
	if pair := pairs[name]; pair != nil {
		delete(pairs, name)
		return m.set(pair, path, 0, m.change.Out)
	}
	for _, part := range t.parts(m) {
		separate := fmt.Sprintf("blk.%d.%s.weight", m.layer, part.tensor)
		pair := pairs[separate]
		if pair == nil {
			return fmt.Errorf("tune: %s does not change %s, which is to be trained: choose --lora-target and --lora-layers of that adapter", path, name)
		}
		delete(pairs, separate)
		if err := m.set(pair, path, part.from, part.rows); err != nil {
			return err
		}
	}
	return nil
}

// set takes A and B of a pair, which changes some rows of the matrix.
func (m *module) set(p *lora.Pair, path string, from, rows int) error {
	c := m.change
	if p.Rank != c.Rank || p.In != c.In || p.Out != rows {
		return fmt.Errorf("tune: %s: %s has rank %d with %d and %d values, here it is %d with %d and %d: choose --lora-r of that adapter",
			path, p.Target, p.Rank, p.In, p.Out, c.Rank, c.In, rows)
	}
	if float32(p.Scale) != c.Scale {
		return fmt.Errorf("tune: %s: the change of %s is scaled by %v, here it is %v: choose --lora-alpha and --rslora of that adapter", path, p.Target, p.Scale, c.Scale)
	}
	a, err := p.A.Floats()
	if err != nil {
		return err
	}
	b, err := p.B.Floats()
	if err != nil {
		return err
	}
	if from > 0 && !slices.Equal(a, c.A) {
		return fmt.Errorf("tune: %s: %s has an A of its own, and the changes of queries, keys and values are trained with one that they share", path, p.Target)
	}
	copy(c.A, a)
	for i, v := range b {
		c.B[i%c.Rank*c.Out+from+i/c.Rank] = v
	}
	return nil
}
