package tune

import (
	"fmt"
	"math"
	"slices"
)

// Optimizer says how gradients change the values.
type Optimizer struct {
	Name         string // adamw, decoupled_adamw or decoupled_lionw
	LR           float64
	Beta1, Beta2 float64
	Eps          float64
	WeightDecay  float64
}

// The optimisers.
const (
	AdamW          = "adamw"           // PyTorch's [Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019]
	DecoupledAdamW = "decoupled_adamw" // Composer's: the decay is not multiplied by the learning rate
	DecoupledLionW = "decoupled_lionw" // LLM Foundry's [Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023]
)

// Optimizers lists their names.
var Optimizers = []string{AdamW, DecoupledAdamW, DecoupledLionW}

// Defaults returns the values that an optimiser has if nothing else is said.
func Defaults(name string) (Optimizer, error) {
	switch name {
	case AdamW:
		return Optimizer{name, 2e-4, 0.9, 0.999, 1e-8, 0}, nil
	case DecoupledAdamW:
		return Optimizer{name, 2e-4, 0.9, 0.95, 1e-8, 1e-5}, nil
	case DecoupledLionW:
		return Optimizer{name, 2e-5, 0.9, 0.99, 0, 0}, nil
	}
	return Optimizer{}, fmt.Errorf("tune: no optimiser %q (--optim): there are %v", name, Optimizers)
}

func (o Optimizer) check() error {
	finite := func(v float64) bool { return v >= 0 && !math.IsInf(v, 0) }
	switch {
	case !slices.Contains(Optimizers, o.Name):
		_, err := Defaults(o.Name)
		return err
	case !finite(o.LR) || !finite(o.Eps) || !finite(o.WeightDecay):
		return fmt.Errorf("tune: a learning rate of %v, an eps of %v, a weight decay of %v: want finite numbers from 0 on", o.LR, o.Eps, o.WeightDecay)
	case !(o.Beta1 >= 0 && o.Beta1 < 1 && o.Beta2 >= 0 && o.Beta2 < 1):
		return fmt.Errorf("tune: betas (--betas) %v and %v: want from 0 to below 1", o.Beta1, o.Beta2)
	}
	return nil
}

// moments returns how many moments the optimiser keeps of a value.
func (o Optimizer) moments() int {
	if o.Name == DecoupledLionW {
		return 1
	}
	return 2
}

// update changes values p by gradients g, which are multiplied by clip; m and v are the moments. factor is
// that of the schedule; t counts the updates from 1 on. Every operation on values is float32 and rounded;
// factors are made in float64 and rounded once.
func (o Optimizer) update(p, g, m, v []float32, clip float32, factor float64, t int) {
	decay := 1 - o.LR*factor*o.WeightDecay
	if o.Name != AdamW {
		decay = 1 - factor*o.WeightDecay
	}
	if o.Name == DecoupledLionW {
		o.lion(p, g, m, clip, float32(decay), float32(o.LR*factor))
		return
	}
	b1, b2 := float32(o.Beta1), float32(o.Beta2)
	n1, n2 := float32(1-o.Beta1), float32(1-o.Beta2)
	rate := float32(o.LR * factor / (1 - math.Pow(o.Beta1, float64(t))))
	root := float32(math.Sqrt(1 - math.Pow(o.Beta2, float64(t))))
	eps, keep := float32(o.Eps), float32(decay)
	for i := range p {
		d := float32(g[i] * clip)
		m[i] = float32(b1*m[i]) + float32(n1*d)
		v[i] = float32(b2*v[i]) + float32(n2*float32(d*d))
		size := float32(math.Sqrt(float64(v[i])))/root + eps
		p[i] = float32(p[i]*keep) - float32(rate*float32(m[i]/size))
	}
}

func (o Optimizer) lion(p, g, m []float32, clip, keep, rate float32) {
	b1, b2 := float32(o.Beta1), float32(o.Beta2)
	n1, n2 := float32(1-o.Beta1), float32(1-o.Beta2)
	for i := range p {
		d := float32(g[i] * clip)
		p[i] *= keep
		switch c := float32(b1*m[i]) + float32(n1*d); {
		case c > 0:
			p[i] -= rate
		case c < 0:
			p[i] += rate
		}
		m[i] = float32(b2*m[i]) + float32(n2*d)
	}
}
