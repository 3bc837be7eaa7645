package kernel

import "github.com/klauspost/cpuid/v2"

func init() {
	features = []feature{
		{id: cpuid.ASIMD, name: "NEON"},
		{id: cpuid.ASIMDHP, name: "FP16"},
		{id: cpuid.ASIMDDP, name: "DOTPROD"},
		{id: cpuid.I8MM, name: "I8MM"},
		{id: cpuid.BF16, name: "BF16"},
		{id: cpuid.SVE, name: "SVE"},
		{id: cpuid.SVE2, name: "SVE2"},
	}
	usable = func(id cpuid.FeatureID) bool {
		return id == cpuid.ASIMD || cpuid.CPU.Supports(id) || windowsHas(id)
	}
}
