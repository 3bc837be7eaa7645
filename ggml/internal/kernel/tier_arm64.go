//go:build !purego

package kernel

import "github.com/klauspost/cpuid/v2"

// Every arm64 has what the tier neon needs. The others replace the kernels of
// block types.
func init() {
	tiers = append(tiers,
		Tier{Name: "neon", needs: []cpuid.FeatureID{cpuid.ASIMD}, mat: matNEON, vec: vecFast, att: attNEON},
		Tier{Name: "dotprod", needs: []cpuid.FeatureID{cpuid.ASIMD, cpuid.ASIMDDP}, mat: matDotProd, vec: vecFast, att: attNEON},
		Tier{Name: "i8mm", needs: []cpuid.FeatureID{cpuid.ASIMD, cpuid.ASIMDDP, cpuid.I8MM}, mat: matI8MM, vec: vecFast, att: attNEON},
	)
}
