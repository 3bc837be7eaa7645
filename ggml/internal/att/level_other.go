//go:build purego || (!amd64 && !arm64)

package att

// levels is empty where there is no assembly.
var levels map[string]Kernels
