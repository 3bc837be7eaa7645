package kernel

import "github.com/klauspost/cpuid/v2"

// Tier is one complete set of kernels: those of one CPU feature level. A tier
// is a value, chosen once by the caller ([Best], [Named]) and passed down, so
// different tiers can be used side by side. All tiers give the same bits.
//
// Slices that a kernel reads and writes must not overlap unless the field says
// so. Lengths are checked by the exported methods, not by the fields.
type Tier struct {
	Name string // "generic", "avx2", "neon", "dotprod", "i8mm"

	needs []cpuid.FeatureID // what the CPU must have

	mat matKernels
	vec vecKernels
	att attKernels
}

// tiers lists the tiers that were written for this architecture, the slowest
// first. Files of an architecture append theirs in init: a new tier is a row.
var tiers = []Tier{{Name: "generic", mat: matGeneric, vec: vecGeneric, att: attGeneric}}

// Generic returns the tier in plain Go that defines all others.
func Generic() *Tier { return &tiers[0] }

// Known returns the tiers of this architecture that are part of the program,
// also those that this CPU cannot run, the slowest first.
func Known() []*Tier {
	known := make([]*Tier, len(tiers))
	for i := range tiers {
		known[i] = &tiers[i]
	}
	return known
}

// All returns the tiers that this CPU can run, the slowest first.
func All() []*Tier {
	var all []*Tier
	for _, t := range Known() {
		if t.runs() {
			all = append(all, t)
		}
	}
	return all
}

// runs reports whether this CPU can run t. It is Missing without the reasons, for which
// the CPU is asked more: under a hypervisor that takes many microseconds.
func (t *Tier) runs() bool {
	for _, id := range t.needs {
		if !usable(id) {
			return false
		}
	}
	return true
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

// Needs returns the features that a CPU must have to run t.
func (t *Tier) Needs() []Feature {
	needs := []Feature{} // a list in JSON, too
	for _, id := range t.needs {
		needs = append(needs, featureOf(id))
	}
	return needs
}

// Missing returns those of the features that t needs which programs cannot use
// here. The tier must not be used unless there are none.
func (t *Tier) Missing() []Feature {
	missing := []Feature{}
	for _, f := range t.Needs() {
		if !f.Usable {
			missing = append(missing, f)
		}
	}
	return missing
}
