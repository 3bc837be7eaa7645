package grammar

// mask sets the bits of all tokens that may follow a state.
func (m *machine) mask(at int32, v *Vocabulary) ([]uint64, error) {
	if mask := m.states[at].mask; mask != nil {
		return mask, nil
	}
	mask := make([]uint64, (v.size+63)/64)
	if n := m.states[at].free; n > 0 {
		copy(mask, v.upTo[min(n, mostFree)])
	} else if err := m.walk(at, &v.ordinary, 0, mask); err != nil {
		return nil, err
	}
	if err := m.walk(at, &v.special, 0, mask); err != nil {
		return nil, err
	}
	if m.masks++; m.masks > mostMasks {
		for i := range m.states {
			m.states[i].mask = nil
		}
		m.bytes.Add(-int64(mostMasks * 8 * len(mask)))
		m.masks = 1
	}
	m.bytes.Add(int64(8 * len(mask)))
	m.states[at].mask = mask
	return mask, nil
}

// walk sets the bits of the tokens behind a node whose bytes have led to a state.
func (m *machine) walk(s int32, t *tree, at int32, mask []uint64) error {
	n := &t.nodes[at]
	last := n.token + n.more
	if t.ordinary && m.states[s].free >= mostFree {
		last = n.last // whatever follows
	}
	for _, id := range t.tokens[n.token:last] {
		mask[id/64] |= 1 << (id % 64)
	}
	if last == n.last {
		return nil
	}
	for child := n.children; child < n.children+n.count; child++ {
		next, err := m.step(s, t.nodes[child].b)
		if err != nil {
			return err
		}
		if next != nowhere {
			if err := m.walk(next, t, child, mask); err != nil {
				return err
			}
		}
	}
	return nil
}
