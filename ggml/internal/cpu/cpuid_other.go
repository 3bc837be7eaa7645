//go:build !amd64 || purego

package cpu

// has reports whether the CPU has a feature, which is not known here.
func has(feature) bool { return false }

// osSaves stands in for the word of XCR0 that says which registers the operating
// system saves.
func osSaves() uint32 { return ^uint32(0) }
