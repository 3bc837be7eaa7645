//go:build purego || (!amd64 && !arm64)

package cpu

// fastLevels is empty where there is no assembly.
var fastLevels []Level
