//go:build !amd64 && !arm64

package cpu

import "github.com/klauspost/cpuid/v2"

// features is empty where no kernel depends on any.
var features []feature

func usableHere(id cpuid.FeatureID) bool { return cpuid.CPU.Supports(id) }
