//go:build !purego

package kernel

import "github.com/klauspost/cpuid/v2"

func init() {
	tiers = append(tiers,
		Tier{Name: "avx2", needs: []cpuid.FeatureID{cpuid.AVX2, cpuid.FMA3, cpuid.F16C}, mat: matAVX2, vec: vecAVX2, att: attAVX2},
	)
}
