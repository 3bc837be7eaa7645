//go:build !amd64 || purego

package cpu

var multipliers map[string]Multiplier

func chooseRead() func(b []byte, fetch bool) uint64 { return readGeneric }
