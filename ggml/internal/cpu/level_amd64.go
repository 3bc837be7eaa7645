//go:build !purego

package cpu

import "github.com/klauspost/cpuid/v2"

var fastLevels = []Level{
	{"avx2", needsAVX2},
	{"avxvnni", and(needsAVX2, cpuid.AVXVNNI)},
	{"avx512", needsAVX512},
	{"avx512vbmi", and(needsAVX512, cpuid.AVX512VBMI)},
	{"amx", and(needsAVX512, cpuid.AVX512VBMI, cpuid.AMXTILE, cpuid.AMXINT8)},
}

var (
	needsAVX2   = []cpuid.FeatureID{cpuid.AVX2, cpuid.FMA3, cpuid.F16C}
	needsAVX512 = and(needsAVX2, cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512VL, cpuid.AVX512DQ, cpuid.AVX512VNNI)
)

// and returns the features of a level and more.
func and(level []cpuid.FeatureID, more ...cpuid.FeatureID) []cpuid.FeatureID {
	return append(level[:len(level):len(level)], more...)
}
