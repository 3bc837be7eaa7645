//go:build !purego

package kernel

import (
	"slices"

	"github.com/klauspost/cpuid/v2"
)

func init() {
	avx2 := []cpuid.FeatureID{cpuid.AVX2, cpuid.FMA3, cpuid.F16C}
	avxVNNI := append(slices.Clone(avx2), cpuid.AVXVNNI)
	avx512 := append(slices.Clone(avx2), cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512VL, cpuid.AVX512DQ, cpuid.AVX512VNNI)
	avx512VBMI := append(slices.Clone(avx512), cpuid.AVX512VBMI)
	tiers = append(tiers,
		Tier{Name: "avx2", needs: avx2, mat: matAVX2, vec: vecFast, att: attAVX2},
		Tier{Name: "avxvnni", needs: avxVNNI, mat: matAVXVNNI, vec: vecFast, att: attAVX2},
		Tier{Name: "avx512", needs: avx512, mat: matAVX512, vec: vecFast, att: attAVX512},
		Tier{Name: "avx512vbmi", needs: avx512VBMI, mat: matAVX512VBMI, vec: vecFast, att: attAVX512},
	)
}
