//go:build !purego

package kernel

import "github.com/klauspost/cpuid/v2"

func init() {
	if cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3, cpuid.F16C) {
		tiers = append(tiers, Tier{Name: "avx2", mat: matAVX2, vec: vecAVX2, att: attAVX2})
	}
	if cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3, cpuid.F16C, cpuid.AVXVNNI) {
		tiers = append(tiers, Tier{Name: "avxvnni", mat: matAVXVNNI, vec: vecAVX2, att: attAVX2})
	}
	if cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3, cpuid.F16C,
		cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512VL, cpuid.AVX512DQ, cpuid.AVX512VNNI) {
		tiers = append(tiers, Tier{Name: "avx512", mat: matAVX512, vec: vecAVX2, att: attAVX2})
	}
}
