package kernel

// The generator of the arm64 kernels is named here because go generate skips
// files of other architectures.
//go:generate go run ./_gen/arm64 .
