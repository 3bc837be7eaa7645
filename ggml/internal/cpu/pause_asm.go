//go:build (amd64 || arm64) && !purego

package cpu

// Pause tells the CPU n times that this is a spin loop. It cannot be
// preempted, so n should stay small: 30 pauses take about a microsecond.
//
//go:noescape
func Pause(n int)
