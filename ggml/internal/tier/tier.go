package tier

import (
	"slices"

	"mptgo/ggml/internal/act"
	"mptgo/ggml/internal/att"
	"mptgo/ggml/internal/cpu"
	"mptgo/ggml/internal/mat"
	"mptgo/ggml/internal/vec"
)

// Tier is one complete set of kernels: those of one level of CPU features. A tier
// is a value, chosen once by the caller ([Best], [Named]) and passed down, so
// different tiers can be used side by side. All tiers give the same bits.
type Tier struct {
	cpu.Level

	Vec vec.Kernels
	Act act.Kernels
	Att att.Kernels
	Mat mat.Kernels
}

// tiers are those of this architecture, the slowest first.
var tiers = func() (all []*Tier) {
	for _, l := range cpu.Levels() {
		all = append(all, &Tier{Level: l, Vec: vec.For(l), Act: act.For(l), Att: att.For(l), Mat: mat.For(l)})
	}
	return all
}()

// Generic returns the tier in plain Go that defines all others.
func Generic() *Tier { return tiers[0] }

// Known returns the tiers of this architecture that are part of the program,
// also those that this CPU cannot run, the slowest first.
func Known() []*Tier { return slices.Clone(tiers) }

// All returns the tiers that this CPU can run, the slowest first.
func All() []*Tier {
	return slices.DeleteFunc(Known(), func(t *Tier) bool { return !t.Runs() })
}

// Best returns the fastest tier that this CPU can run.
func Best() *Tier {
	all := All()
	return all[len(all)-1]
}

// Named returns the tier with the given name if this CPU can run it.
func Named(name string) (*Tier, bool) {
	for _, t := range All() {
		if t.Name == name {
			return t, true
		}
	}
	return nil, false
}
