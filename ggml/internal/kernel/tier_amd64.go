//go:build !purego

package kernel

import "github.com/klauspost/cpuid/v2"

func init() {
	if cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3, cpuid.F16C) {
		tiers = append(tiers, Tier{Name: "avx2", mat: matAVX2, vec: vecAVX2, att: attAVX2})
	}
}
