package ggml

import (
	"fmt"
	"strings"

	"mptgo/ggml/internal/cpu"
	"mptgo/ggml/internal/tier"
)

// Tiers returns the names of the kernel sets that this CPU can run, the
// slowest first.
func Tiers() []string {
	var names []string
	for _, t := range tier.All() {
		names = append(names, t.Name)
	}
	return names
}

// TierName returns the name of the kernels that [Options] with the given Tier
// selects: name itself or, if it is empty, that of the best.
func TierName(name string) (string, error) {
	t, err := tierNamed(name)
	if err != nil {
		return "", err
	}
	return t.Name, nil
}

// tierNamed returns the kernels with the given name.
func tierNamed(name string) (*tier.Tier, error) {
	if name == "" {
		return tier.Best(), nil
	}
	if t, ok := tier.Named(name); ok {
		return t, nil
	}
	return nil, fmt.Errorf("ggml: kernels %q: %s: use %s", name, whyNot(name), strings.Join(Tiers(), " or "))
}

// whyNot says why there are no kernels with the given name.
func whyNot(name string) string {
	for _, t := range tier.Known() {
		if t.Name == name {
			return lacks(asFeatures(t.Missing()))
		}
	}
	if cpu.PureGo {
		return "this program was built without assembly (tag purego)"
	}
	return "there are none of that name for this CPU"
}

// lacks says that features are missing.
func lacks(missing []Feature) string {
	var absent, unsaved []string
	for _, f := range missing {
		if f.Unsaved {
			unsaved = append(unsaved, f.Name)
		} else {
			absent = append(absent, f.Name)
		}
	}
	var why []string
	if len(absent) > 0 {
		why = append(why, "this CPU lacks "+strings.Join(absent, ", "))
	}
	if len(unsaved) > 0 {
		why = append(why, "the operating system does not save the registers of "+strings.Join(unsaved, ", "))
	}
	return strings.Join(why, "; ")
}
