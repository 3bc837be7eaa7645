//go:build !purego

package cpu

import "github.com/klauspost/cpuid/v2"

func fastestLoops() rooflineLoops {
	if cpuid.CPU.Supports(cpuid.AVX2) {
		return rooflineLoops{"AVX2", readAVX2, multiplyAVX2}
	}
	return genericLoops
}

func readAVX2(b []byte, fetch bool) uint64 {
	whole := len(b) &^ (readStep - 1)
	rest := readGeneric(b[whole:], false)
	if whole > 0 {
		rest ^= readLines(&b[0], whole, fetch)
	}
	return rest
}

// readStep is what readLines reads at a time.
const readStep = 512

// readLines works like readGeneric on n bytes, a positive multiple of readStep.
//
//go:noescape
func readLines(p *byte, n int, fetch bool) uint64

func multiplyAVX2(x *Chains, w *[32]byte, rounds int) {
	if rounds > 0 {
		multiplyChains(x, w, rounds)
	}
}

// multiplyChains works like multiplyGeneric for at least one round.
//
//go:noescape
func multiplyChains(x *Chains, w *[32]byte, rounds int)
