//go:build !windows

package kernel

import "github.com/klauspost/cpuid/v2"

// windowsHas stands in for Windows, which knows more than package cpuid.
func windowsHas(cpuid.FeatureID) bool { return false }
