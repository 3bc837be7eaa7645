package ggml

import (
	"runtime"

	"mptgo/ggml/internal/cpu"
	"mptgo/ggml/internal/tier"
)

// CPU is what is known about the processor, as far as it matters here. Sizes and
// numbers that are not known are 0.
type CPU struct {
	Name         string `json:"name"`
	Architecture string `json:"architecture"` // as Go calls it
	Cores        int    `json:"cores"`
	Threads      int    `json:"threads"` // that the process may use at the same time
	L1           int    `json:"l1_data"` // bytes
	L2           int    `json:"l2"`
	L3           int    `json:"l3"`

	Features []Feature `json:"features"`
	PureGo   bool      `json:"purego"`  // built without assembly
	Tiers    []Tier    `json:"kernels"` // of this architecture, the slowest first
}

// Feature is an extension of the instruction set.
type Feature struct {
	Name   string `json:"name"`   // as the manuals have it
	Usable bool   `json:"usable"` // by programs

	// Unsaved is set if the CPU has the feature, but its registers are lost when the operating
	// system turns to another program, so that no program can use it.
	Unsaved bool `json:"unsaved"`
}

// asFeatures returns what package cpu says in this package's type.
func asFeatures(from []cpu.Feature) []Feature {
	all := make([]Feature, len(from)) // never nil: a list in JSON, too
	for i, f := range from {
		all[i] = Feature(f)
	}
	return all
}

// Tier is a set of kernels for a level of CPU features. Its name is one that [Options] takes.
type Tier struct {
	Name    string    `json:"name"`
	Usable  bool      `json:"usable"`
	Needs   []Feature `json:"needs"`   // of the CPU
	Missing []Feature `json:"missing"` // those of them that programs cannot use
}

// WhyNot says, for people, what keeps this CPU from running k: what it lacks.
func (k Tier) WhyNot() string { return lacks(k.Missing) }

// ThisCPU describes the processor that runs the program.
func ThisCPU() CPU {
	cache := cpu.Cache()
	c := CPU{
		Name: cpu.Name(), Architecture: runtime.GOARCH, Cores: cpu.Cores(), Threads: runtime.GOMAXPROCS(0),
		L1: cache[0], L2: cache[1], L3: cache[2], Features: asFeatures(cpu.Features()), PureGo: cpu.PureGo,
	}
	for _, t := range tier.Known() {
		missing := asFeatures(t.Missing())
		c.Tiers = append(c.Tiers, Tier{t.Name, len(missing) == 0, asFeatures(t.Needs()), missing})
	}
	return c
}
