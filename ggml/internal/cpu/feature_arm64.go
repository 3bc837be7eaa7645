package cpu

import "github.com/klauspost/cpuid/v2"

// features lists the features that people may ask about, the oldest first.
var features = []feature{
	{id: cpuid.ASIMD, name: "NEON"},
	{id: cpuid.ASIMDHP, name: "FP16"},
	{id: cpuid.ASIMDDP, name: "DOTPROD"},
	{id: cpuid.I8MM, name: "I8MM"},
	{id: cpuid.BF16, name: "BF16"},
	{id: cpuid.SVE, name: "SVE"},
	{id: cpuid.SVE2, name: "SVE2"},
}

// usableHere knows that every arm64 has NEON.
func usableHere(id cpuid.FeatureID) bool {
	return id == cpuid.ASIMD || cpuid.CPU.Supports(id) || windowsHas(id)
}
