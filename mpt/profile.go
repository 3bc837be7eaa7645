package mpt

import (
	"mptgo/ggml"
	"mptgo/gguf"
)

// Work is how much the evaluation of tokens takes, with the adapters of new sessions.
type Work struct {
	Bytes         int64 // of matrices, read for every batch; without the looked-up rows of the embedding
	OutputBytes   int64 // of the output matrix, read once an evaluation, for the logits of its last token
	PositionBytes int64 // of keys and values, read for every token for every position up to its own (that it sees)
	MACs          int64 // multiplications with weights for every token
	OutputMACs    int64 // and with the output matrix for the last one
}

// Work returns how much m has to do for a token.
func (m *Model) Work() Work {
	c := m.config
	w := Work{
		OutputBytes:   int64(m.w.output.Bytes()),
		OutputMACs:    int64(m.w.output.Rows) * int64(m.w.output.Cols),
		PositionBytes: int64(c.Layers) * int64(m.layerCache().PageBytes()/ggml.Chunk),
	}
	for _, l := range m.w.layers {
		for _, x := range []*ggml.Matrix{l.qkv.w, l.out.w, l.up.w, l.gate.w, l.down.w} {
			if x == nil {
				continue
			}
			w.Bytes += int64(x.Bytes())
			w.MACs += int64(x.Rows) * int64(x.Cols)
		}
	}
	for _, u := range m.adapters {
		for _, list := range u.Adapter.changes {
			for _, l := range list {
				if u.Scale != 0 {
					w.Bytes += int64(l.Bytes())
					w.MACs += l.MACs()
				}
			}
		}
	}
	return w
}

// CacheType returns the types of cached keys and values.
func (m *Model) CacheType() (keys, values gguf.Type) { return m.opt.keys, m.opt.values }

// CacheBytes returns the memory that the keys and values of a session of n tokens take:
// whole pages of [ggml.Chunk] positions for every layer that has keys of its own.
func (m *Model) CacheBytes(n int) int64 {
	pages := (int64(n) + ggml.Chunk - 1) / ggml.Chunk
	return int64(m.config.caches()) * pages * int64(m.layerCache().PageBytes())
}

// Cost is what the operations of one kind took while a profile ran.
type Cost = ggml.Cost

// Profile starts a new profile of all evaluations that begin from now on, or
// ends it. No evaluation may be under way.
func (m *Model) Profile(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.profiling = on
	for _, r := range m.idle {
		r.profile(on)
	}
}

// Costs returns what the profile has added up, in the order of the model. No
// evaluation may be under way.
func (m *Model) Costs() []Cost {
	m.mu.Lock()
	defer m.mu.Unlock()
	var bodies, heads []Cost
	for _, r := range m.idle {
		bodies = append(bodies, r.body.Costs()...)
		heads = append(heads, r.head.Costs()...)
	}
	var sum []Cost
	at := map[string]int{}
	for _, c := range append(bodies, heads...) {
		sum = addCost(sum, at, c)
	}
	return sum
}

// addCost adds c to the cost with its name, whose index at holds.
func addCost(sum []Cost, at map[string]int, c Cost) []Cost {
	i, ok := at[c.Name]
	if !ok {
		at[c.Name] = len(sum)
		return append(sum, c)
	}
	sum[i].Runs += c.Runs
	sum[i].Time += c.Time
	sum[i].Bytes += c.Bytes
	sum[i].MACs += c.MACs
	return sum
}

func (r *runner) profile(on bool) {
	r.body.Profile(on)
	r.head.Profile(on)
}
