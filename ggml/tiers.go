package ggml

import (
	"fmt"
	"strings"

	"mptgo/ggml/internal/kernel"
)

// Tiers returns the names of the kernel sets that this CPU can run, the
// slowest first.
func Tiers() []string {
	var names []string
	for _, t := range kernel.All() {
		names = append(names, t.Name)
	}
	return names
}

func unknownTier(name string) error {
	return fmt.Errorf("ggml: no kernels named %q run on this CPU; it has %s", name, strings.Join(Tiers(), ", "))
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
