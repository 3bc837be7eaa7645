package cpu

import "github.com/klauspost/cpuid/v2"

// The registers of CPUID.
const (
	eax = iota
	ebx
	ecx
	edx
)

// features lists the features that people may ask about, the oldest first, as in Intel's
// "Software Developer's Manual", volume 2, CPUID.
var features = []feature{
	{cpuid.SSE4, "SSE4.1", leaf{1, 0, ecx, 19}},
	{cpuid.AVX, "AVX", leaf{1, 0, ecx, 28}},
	{cpuid.F16C, "F16C", leaf{1, 0, ecx, 29}},
	{cpuid.FMA3, "FMA", leaf{1, 0, ecx, 12}},
	{cpuid.AVX2, "AVX2", leaf{7, 0, ebx, 5}},
	{cpuid.AVXVNNI, "AVX-VNNI", leaf{7, 1, eax, 4}},
	{cpuid.AVX512F, "AVX-512 F", leaf{7, 0, ebx, 16}},
	{cpuid.AVX512DQ, "AVX-512 DQ", leaf{7, 0, ebx, 17}},
	{cpuid.AVX512BW, "AVX-512 BW", leaf{7, 0, ebx, 30}},
	{cpuid.AVX512VL, "AVX-512 VL", leaf{7, 0, ebx, 31}},
	{cpuid.AVX512VBMI, "AVX-512 VBMI", leaf{7, 0, ecx, 1}},
	{cpuid.AVX512VNNI, "AVX-512 VNNI", leaf{7, 0, ecx, 11}},
	{cpuid.AVX512BF16, "AVX-512 BF16", leaf{7, 1, eax, 5}},
	{cpuid.AMXTILE, "AMX TILE", leaf{7, 0, edx, 24}},
	{cpuid.AMXINT8, "AMX INT8", leaf{7, 0, edx, 25}},
	{cpuid.AMXBF16, "AMX BF16", leaf{7, 0, edx, 22}},
}

// amxRegisters are the bits of XCR0 for the registers of AMX.
const amxRegisters = 3 << 17

// usableHere is stricter than package cpuid, which takes some features for
// usable if others are.
func usableHere(id cpuid.FeatureID) bool {
	switch id {
	case cpuid.F16C, cpuid.FMA3:
		return cpuid.CPU.Supports(id, cpuid.AVX)
	case cpuid.AMXTILE, cpuid.AMXINT8, cpuid.AMXBF16:
		return cpuid.CPU.Supports(id, cpuid.OSXSAVE) && osSaves()&amxRegisters == amxRegisters && permitTiles()
	}
	return cpuid.CPU.Supports(id)
}
