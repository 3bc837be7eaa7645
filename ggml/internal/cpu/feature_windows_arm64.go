package cpu

import (
	"github.com/klauspost/cpuid/v2"
	"golang.org/x/sys/windows"
)

// windowsFeatures are the numbers of features in winnt.h. Windows does not let
// programs ask the CPU.
var windowsFeatures = map[cpuid.FeatureID]uint32{
	cpuid.ASIMDDP: 43, // PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE
	cpuid.SVE:     46, // PF_ARM_SVE_INSTRUCTIONS_AVAILABLE
	cpuid.SVE2:    47, // PF_ARM_SVE2_INSTRUCTIONS_AVAILABLE
	cpuid.I8MM:    66, // PF_ARM_V82_I8MM_INSTRUCTIONS_AVAILABLE
	cpuid.ASIMDHP: 67, // PF_ARM_V82_FP16_INSTRUCTIONS_AVAILABLE
	cpuid.BF16:    68, // PF_ARM_V86_BF16_INSTRUCTIONS_AVAILABLE
}

// windowsHas asks Windows for a feature. Versions of it that do not know the
// number say no.
func windowsHas(id cpuid.FeatureID) bool {
	n, ok := windowsFeatures[id]
	return ok && windows.IsProcessorFeaturePresent(n)
}
