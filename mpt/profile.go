package mpt

import (
	"slices"

	"mptgo/ggml"
	"mptgo/gguf"
)

// Matrices returns the matrices that tokens are multiplied with, in the order of the model.
// The last one makes the logits; its name may be that of the embedding.
func (m *Model) Matrices() (all []*ggml.Matrix) {
	for i := range m.w.layers {
		l := &m.w.layers[i]
		for _, x := range []linear{l.qkv, l.out, l.gate, l.up, l.down} {
			if x.w != nil {
				all = append(all, x.w)
			}
		}
	}
	return append(all, m.w.output)
}

// Work is how much the evaluation of tokens takes, with the adapters of new sessions.
type Work struct {
	Bytes         int64 // of matrices, read for every batch; without the looked-up rows of the embedding
	OutputBytes   int64 // of those behind the last attention, read once an evaluation, for the logits of its last token
	PositionBytes int64 // of keys and values, read for every token for every position up to its own (that it sees)
	MACs          int64 // multiplications with weights for every token
	OutputMACs    int64 // and with those behind the last attention for the last one
}

// Work returns how much m has to do for a token.
func (m *Model) Work() Work {
	c := m.config
	w := Work{PositionBytes: int64(c.Layers) * int64(m.pages.kv.PageBytes()/ggml.PageSize)}
	all := m.Matrices()
	for i, x := range all {
		w.add(i == len(all)-1 || m.late(x.Name), int64(x.Bytes()), int64(x.Rows)*int64(x.Cols))
	}
	for _, u := range m.adapters {
		for name, list := range u.Adapter.changes {
			for _, l := range list {
				if u.Scale != 0 {
					w.add(name == "output.weight" || m.late(name), int64(l.Bytes()), l.MACs())
				}
			}
		}
	}
	return w
}

// add adds what a matrix takes.
func (w *Work) add(late bool, bytes, macs int64) {
	if late {
		w.OutputBytes, w.OutputMACs = w.OutputBytes+bytes, w.OutputMACs+macs
	} else {
		w.Bytes, w.MACs = w.Bytes+bytes, w.MACs+macs
	}
}

// late reports whether a matrix is one of the last block, behind its attention: only the rows that
// are wanted come to it.
func (m *Model) late(name string) bool {
	l := &m.w.layers[len(m.w.layers)-1]
	return slices.ContainsFunc([]linear{l.out, l.gate, l.up, l.down}, func(x linear) bool {
		return x.w != nil && x.w.Name == name
	})
}

// CacheType returns the types of cached keys and values.
func (m *Model) CacheType() (keys, values gguf.Type) { return m.opt.keys, m.opt.values }

// CacheBytes returns the memory that the keys and values of a session of n tokens take:
// whole pages of [ggml.PageSize] positions for every layer that has keys of its own.
func (m *Model) CacheBytes(n int) int64 { return int64(pagesFor(n)) * m.pages.pageBytes() }

// Cost is what the operations of one kind took while a profile ran.
type Cost = ggml.Cost

// Profile starts a new profile of all evaluations that begin from now on, or ends it.
func (m *Model) Profile(on bool) {
	m.turn <- struct{}{}
	defer m.give()
	m.profiling = on
	if m.runner != nil {
		m.runner.exec.Profile(on)
	}
}

// Costs returns what the profile has added up, in the order of the model.
func (m *Model) Costs() []Cost {
	m.turn <- struct{}{}
	defer m.give()
	if m.runner == nil {
		return nil
	}
	return m.runner.exec.Costs()
}
