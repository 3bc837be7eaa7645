package tune

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mptgo/ggml"
	"mptgo/ggml/train"
	"mptgo/mpt"
)

// LoRA says which matrices are changed and how: the words are those of PEFT.
type LoRA struct {
	Rank    int
	Alpha   float64
	Dropout float64
	RSLoRA  bool     // the product is scaled by alpha/√rank in place of alpha/rank
	Targets []string // short names of modules, such as Wqkv; none, or AllLinear, are all but the head
	First   int      // layer that is changed
	Last    int      // after the last one; 0 = all

	Ranks, Alphas []Pattern // others for some modules: the first that matches counts
}

// AllLinear is the name of all matrices of the blocks.
const AllLinear = "all-linear"

// Pattern is a value for the modules whose name ends with what a regular expression matches.
type Pattern struct {
	Match string
	Value float64
}

// The matrices of a block in the order of the forward pass.
const (
	wqkv = iota
	outProj
	upProj
	gateProj
	downProj
	kinds
)

// moduleNames are the names in PEFT's files, by kind.
var moduleNames = [kinds]string{"attn.Wqkv", "attn.out_proj", "ffn.up_proj", "ffn.gate_proj", "ffn.down_proj"}

// aliases are other names that recipes use, and those that are refused with a reason.
var aliases = map[string]string{
	"attn_qkv": "Wqkv", "attn_output": "out_proj", "ffn_up": "up_proj", "ffn_gate": "gate_proj", "ffn_down": "down_proj",
}

// untrained are modules that PEFT can train and this package cannot.
var untrained = []string{"wte", "wpe", "lm_head", "token_embd", "output"}

// module is one changed matrix.
type module struct {
	name   string // PEFT's, without prefix: transformer.blocks.0.attn.Wqkv
	layer  int
	kind   int
	alpha  float64
	change *train.LowRank
	m, v   [2][]float32 // moments of A and of B
}

// number is that of the module among all of a model, for what is random about it.
func (m *module) number() int { return m.layer*kinds + m.kind }

// short returns the last part of the name.
func short(kind int) string {
	_, name, _ := strings.Cut(moduleNames[kind], ".")
	return name
}

// matrices returns the matrices of a layer by kind.
func matrices(l *mpt.LayerParameters) [kinds]*ggml.Matrix {
	return [kinds]*ggml.Matrix{l.QKV.W, l.Out.W, l.Up.W, l.Gate.W, l.Down.W}
}

// targets returns which kinds are changed.
func (l *LoRA) targets(p *mpt.Parameters) (on [kinds]bool, err error) {
	names := l.Targets
	if len(names) == 0 {
		names = []string{AllLinear}
	}
	for _, name := range names {
		if name == AllLinear {
			return [kinds]bool{true, true, true, true, true}, nil
		}
		last := name[strings.LastIndexByte(name, '.')+1:]
		last = cmp.Or(aliases[last], last)
		kind := slices.IndexFunc(moduleNames[:], func(n string) bool { return strings.HasSuffix(n, "."+last) })
		switch {
		case slices.Contains(untrained, last):
			return on, fmt.Errorf("tune: training %s (--lora-target) is not supported: of the matrices of blocks, name some of %s", name, allTargets())
		case kind < 0:
			return on, fmt.Errorf("tune: no module %q (--lora-target): there are %s and %s", name, allTargets(), AllLinear)
		case matrices(&p.Layers[0])[kind] == nil:
			return on, fmt.Errorf("tune: the model has no %s (--lora-target)", name)
		}
		on[kind] = true
	}
	return on, nil
}

func allTargets() string {
	var names []string
	for kind := range kinds {
		names = append(names, short(kind))
	}
	return strings.Join(names, ", ")
}

// value returns that of the first pattern which matches the end of a name.
func value(patterns []Pattern, name string, absent float64) (float64, error) {
	for _, p := range patterns {
		re, err := regexp.Compile(`^(?:.*\.)?(?:` + p.Match + `)$`)
		if err != nil {
			return 0, fmt.Errorf("tune: the pattern %q of a rank or alpha: %w", p.Match, err)
		}
		if re.MatchString(name) {
			return p.Value, nil
		}
	}
	return absent, nil
}

// maxRank bounds what is believed of a rank.
const maxRank = 1 << 14

// newModules returns the changes of a model, with A = 0 and B = 0, in the order of their names.
func newModules(m *mpt.Model, l *LoRA) ([]*module, error) {
	p, c := m.Parameters(), m.Config()
	on, err := l.targets(&p)
	if err != nil {
		return nil, err
	}
	last := cmp.Or(l.Last, c.Layers)
	if l.First < 0 || l.First >= last || last > c.Layers {
		return nil, fmt.Errorf("tune: layers %d to %d (--lora-layers) of a model with layers 0 to %d", l.First, last-1, c.Layers-1)
	}
	var all []*module
	for i := l.First; i < last; i++ {
		for kind, w := range matrices(&p.Layers[i]) {
			if w == nil || !on[kind] {
				continue
			}
			mod, err := l.module(&c, i, kind, w)
			if err != nil {
				return nil, err
			}
			all = append(all, mod)
		}
	}
	slices.SortFunc(all, func(a, b *module) int { return strings.Compare(a.name, b.name) })
	return all, l.checkPatterns(all)
}

// checkPatterns refuses patterns that match none of the modules: a misspelt one would have no effect.
func (l *LoRA) checkPatterns(all []*module) error {
	for _, p := range slices.Concat(l.Ranks, l.Alphas) {
		matched := slices.ContainsFunc(all, func(m *module) bool {
			v, err := value([]Pattern{{p.Match, 1}}, m.name, 0)
			return err == nil && v == 1
		})
		if !matched {
			return fmt.Errorf("tune: %q (--rank-pattern, --alpha-pattern) matches none of the modules that are trained, such as %s", p.Match, all[0].name)
		}
	}
	return nil
}

// module returns the change of one matrix.
func (l *LoRA) module(c *mpt.Config, layer, kind int, w *ggml.Matrix) (*module, error) {
	name := fmt.Sprintf("transformer.blocks.%d.%s", layer, moduleNames[kind])
	if kind == wqkv && c.Blocks[layer].KVSource != layer {
		name = strings.TrimSuffix(name, "Wqkv") + "Wq"
	}
	rank, err := value(l.Ranks, name, float64(l.Rank))
	if err != nil {
		return nil, err
	}
	alpha, err := value(l.Alphas, name, l.Alpha)
	if err != nil {
		return nil, err
	}
	switch {
	case rank != math.Trunc(rank) || rank < 1 || rank > maxRank:
		return nil, fmt.Errorf("tune: a rank of %s (--lora-r) for %s: want 1 to %d",
			strconv.FormatFloat(rank, 'f', -1, 64), name, maxRank)
	case !(alpha > 0) || math.IsInf(alpha, 0):
		return nil, fmt.Errorf("tune: an alpha of %v (--lora-alpha) for %s: want a positive number", alpha, name)
	}
	scale := alpha / rank
	if l.RSLoRA {
		scale = alpha / math.Sqrt(rank)
	}
	change, err := train.NewLowRank(int(rank), w.Cols, w.Rows, float32(scale))
	if err != nil {
		return nil, fmt.Errorf("tune: %s (--lora-r): %w", name, err)
	}
	m := &module{name: name, layer: layer, kind: kind, alpha: alpha, change: change}
	if kind == wqkv && c.QueryFactor != 1 {
		m.change.Queries, m.change.Factor = c.Heads*c.HeadDim, c.QueryFactor
	}
	return m, nil
}

// start sets A to random values in ±1/√in, as PEFT does, and B to zero.
func (m *module) start(seed uint64) {
	const stream = 1 << 32 // apart from those of the epochs
	r := rand.NewPCG(seed, stream+uint64(m.number()))
	bound := 1 / math.Sqrt(float64(m.change.In))
	for i := range m.change.A {
		unit := float64(r.Uint64()>>11) / (1 << 53)
		m.change.A[i] = float32(float64(2*unit-1) * bound)
	}
}

// values returns A and B, grads their gradients.
func (m *module) values() [2][]float32 { return [2][]float32{m.change.A, m.change.B} }
func (m *module) grads() [2][]float32  { return [2][]float32{m.change.GA, m.change.GB} }
