//go:build !purego

package kernel

import "github.com/klauspost/cpuid/v2"

// Every arm64 has what the tier neon needs. The others replace the kernels of
// block types.
func init() {
	tiers = append(tiers, Tier{Name: "neon", mat: matNEON, vec: vecNEON, att: attNEON})
	if cpuid.CPU.Supports(cpuid.ASIMDDP) {
		tiers = append(tiers, Tier{Name: "dotprod", mat: matDotProd, vec: vecNEON, att: attNEON})
	}
	if cpuid.CPU.Supports(cpuid.ASIMDDP, cpuid.I8MM) {
		tiers = append(tiers, Tier{Name: "i8mm", mat: matI8MM, vec: vecNEON, att: attNEON})
	}
}
