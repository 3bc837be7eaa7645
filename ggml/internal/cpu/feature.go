package cpu

import "github.com/klauspost/cpuid/v2"

// Feature is an extension of the instruction set.
type Feature struct {
	Name   string `json:"name"`   // as the manuals have it
	Usable bool   `json:"usable"` // by programs

	// Unsaved is set if the CPU has the feature, but its registers are lost
	// when the operating system turns to another program, so that no program
	// can use it.
	Unsaved bool `json:"unsaved"`
}

// feature is a row of the table of an architecture.
type feature struct {
	id   cpuid.FeatureID
	name string

	leaf leaf // amd64 only
}

// leaf is where CPUID says whether an x86 CPU has a feature, whatever the
// operating system makes of it: a bit of a register (0 to 3 for EAX to EDX) of a
// subleaf.
type leaf struct {
	leaf, sub uint32
	register  int
	bit       uint
}

// usable reports whether programs can use a feature. Tests replace it.
var usable = usableHere

// Features returns what this CPU could have, and has.
func Features() []Feature {
	all := []Feature{} // a list in JSON, too
	for _, f := range features {
		all = append(all, f.state())
	}
	return all
}

// featureOf returns the feature with the given number.
func featureOf(id cpuid.FeatureID) Feature {
	for _, f := range features {
		if f.id == id {
			return f.state()
		}
	}
	return Feature{Name: id.String(), Usable: usable(id)}
}

func (f feature) state() Feature {
	ok := usable(f.id)
	return Feature{Name: f.name, Usable: ok, Unsaved: !ok && has(f)}
}
