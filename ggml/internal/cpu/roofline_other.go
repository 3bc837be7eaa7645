//go:build !amd64 || purego

package cpu

func fastestLoops() rooflineLoops { return genericLoops }
