//go:build !purego

package cpu

// rawCPUID executes CPUID for a leaf and a subleaf. It returns EAX to EDX.
func rawCPUID(leaf, sub uint32) (regs [4]uint32)

// rawXGETBV returns the low word of XCR0.
func rawXGETBV() uint32

// has reports whether the CPU has a feature.
func has(f feature) bool { return f.leaf.in(rawCPUID) }

// osSaves returns the word of XCR0 that says which registers the operating system
// saves, as far as that is known. It must not be called without OSXSAVE.
func osSaves() uint32 { return rawXGETBV() }

// in reports whether the bit is set in what CPUID tells. A leaf or subleaf beyond
// the last one would tell something else.
func (l leaf) in(cpuid func(leaf, sub uint32) [4]uint32) bool {
	if cpuid(0, 0)[eax] < l.leaf || l.sub > 0 && cpuid(l.leaf, 0)[eax] < l.sub {
		return false
	}
	return cpuid(l.leaf, l.sub)[l.register]>>l.bit&1 != 0
}
