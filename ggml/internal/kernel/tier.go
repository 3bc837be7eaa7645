package kernel

// Tier is one complete set of kernels: those of one CPU feature level. A tier
// is a value, chosen once by the caller ([Best], [Named]) and passed down, so
// different tiers can be used side by side. All tiers give the same bits.
//
// Slices that a kernel reads and writes must not overlap unless the field says
// so. Lengths are checked by the exported methods, not by the fields.
type Tier struct {
	Name string // "generic", "avx2", "neon", "dotprod", "i8mm"

	mat matKernels
	vec vecKernels
	att attKernels
}

// Generic returns the tier in plain Go that defines all others.
func Generic() *Tier { return &tiers[0] }

// tiers lists the tiers that this CPU can run, the slowest first. Files of an
// architecture append theirs in init.
var tiers = []Tier{{Name: "generic", mat: matGeneric, vec: vecGeneric, att: attGeneric}}

// All returns the tiers that this CPU can run, the slowest first.
func All() []*Tier {
	all := make([]*Tier, len(tiers))
	for i := range tiers {
		all[i] = &tiers[i]
	}
	return all
}

// Best returns the fastest tier that this CPU can run.
func Best() *Tier { return &tiers[len(tiers)-1] }

// Named returns the tier with the given name if this CPU can run it.
func Named(name string) (*Tier, bool) {
	for i := range tiers {
		if tiers[i].Name == name {
			return &tiers[i], true
		}
	}
	return nil, false
}
