//go:build !purego

package cpu

import "github.com/klauspost/cpuid/v2"

// Every arm64 has what the first level needs.
var fastLevels = []Level{
	{"neon", []cpuid.FeatureID{cpuid.ASIMD}},
	{"dotprod", []cpuid.FeatureID{cpuid.ASIMD, cpuid.ASIMDDP}},
	{"i8mm", []cpuid.FeatureID{cpuid.ASIMD, cpuid.ASIMDDP, cpuid.I8MM}},
}
