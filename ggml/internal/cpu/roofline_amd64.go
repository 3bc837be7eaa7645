//go:build !purego

package cpu

import "github.com/klauspost/cpuid/v2"

// multipliers are the loops by the levels of kernels, of CPUs that have these.
var multipliers = map[string]Multiplier{
	"avx2":       {Name: "AVX2", MACs: chainCount * 32, run: multiplyPairs},
	"avxvnni":    {Name: "AVX-VNNI", MACs: chainCount * 32, run: multiplyDots},
	"avx512":     wideDots(false),
	"avx512vbmi": wideDots(false),
	"amx":        wideDots(true), // all but prompts and batches of 32 rows are multiplied so
}

func wideDots(exceeded bool) Multiplier {
	return Multiplier{Name: "AVX-512 VNNI", MACs: chainCount * 64, run: multiplyWideDots, Exceeded: exceeded}
}

func chooseRead() func(b []byte, fetch bool) uint64 {
	if cpuid.CPU.Supports(cpuid.AVX2) {
		return readAVX2
	}
	return readGeneric
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

// multiplyPairs works like pairsGeneric for at least one round.
//
//go:noescape
func multiplyPairs(x *Chains, rounds int)

// multiplyDots works like dotsGeneric on chains of 32 bytes, for at least one round. It needs
// AVX-VNNI.
//
//go:noescape
func multiplyDots(x *Chains, rounds int)

// multiplyWideDots works like dotsGeneric on chains of 64 bytes, for at least one round. It needs
// AVX-512 with VNNI.
//
//go:noescape
func multiplyWideDots(x *Chains, rounds int)
