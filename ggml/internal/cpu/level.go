package cpu

import "github.com/klauspost/cpuid/v2"

// Level is a set of features that kernels are written for.
type Level struct {
	Name string // "generic", "avx2", "neon", "dotprod", ...

	needs []cpuid.FeatureID // what the CPU must have
}

// Levels returns the levels of this architecture that kernels in the program are
// written for, also those that this CPU lacks, the slowest first: "generic", which
// needs nothing, and those in the file of the architecture.
func Levels() []Level { return append([]Level{{Name: "generic"}}, fastLevels...) }

// Runs reports whether this CPU has the level. It is Missing without the reasons, for
// which the CPU is asked more: under a hypervisor that takes many microseconds.
func (l *Level) Runs() bool {
	for _, id := range l.needs {
		if !usable(id) {
			return false
		}
	}
	return true
}

// Needs returns the features that a CPU must have.
func (l *Level) Needs() []Feature {
	needs := []Feature{} // a list in JSON, too
	for _, id := range l.needs {
		needs = append(needs, featureOf(id))
	}
	return needs
}

// Missing returns those of the features that programs cannot use here. Kernels of the
// level must not be used unless there are none.
func (l *Level) Missing() []Feature {
	missing := []Feature{}
	for _, f := range l.Needs() {
		if !f.Usable {
			missing = append(missing, f)
		}
	}
	return missing
}
