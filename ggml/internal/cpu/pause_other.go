//go:build !(amd64 || arm64) || purego

package cpu

// Pause stands in for the CPU's spin-loop hint where there is none.
func Pause(n int) {}
