package tier

// The generators of all kernels are named here, in a file of every architecture: go generate
// skips the files of others.
//go:generate go run -C ../_gen . ..
