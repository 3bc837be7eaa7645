package tune

import "strings"

// part is one of the matrices of queries, keys and values, where a checkpoint has them by themselves.
type part struct {
	module     string // PEFT's short name
	tensor     string // that of the model's file, without layer
	from, rows int    // of the one that GGUF files have
}

// fusedName is that of the matrix of queries, keys and values together.
const fusedName = "Wqkv"

// parts returns those that a module stands for, or none if it is no [fusedName].
func (t *Trainer) parts(m *module) []part {
	if !strings.HasSuffix(m.name, "."+fusedName) {
		return nil
	}
	c := t.model.Config()
	q, kv := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	return []part{{"Wq", "attn_q", 0, q}, {"Wk", "attn_k", q, kv}, {"Wv", "attn_v", q + kv, kv}}
}

// names returns the modules of PEFT that a module is written as.
func (t *Trainer) names(m *module) (names []string) {
	if t.c.Unfused {
		for _, p := range t.parts(m) {
			names = append(names, strings.TrimSuffix(m.name, fusedName)+p.module)
		}
	}
	if names == nil {
		names = []string{m.name}
	}
	return names
}

// adapter returns A and B of all modules as they are written: for a base without fused matrices A three
// times, and the rows of B where they belong.
func (t *Trainer) adapter() (list []tensor) {
	all := t.tensors((*module).values, "")
	for i, m := range t.modules {
		a, b := all[2*i], all[2*i+1]
		names := t.names(m)
		if len(names) == 1 {
			list = append(list, a, b)
			continue
		}
		for k, p := range t.parts(m) {
			a.name = prefix + names[k] + ".lora_A.weight"
			list = append(list, a, b.part(prefix+names[k]+".lora_B.weight", p.from, p.rows))
		}
	}
	return list
}
