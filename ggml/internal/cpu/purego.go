//go:build purego

package cpu

// PureGo is set if the program was built without assembly, by the build tag
// purego.
const PureGo = true
