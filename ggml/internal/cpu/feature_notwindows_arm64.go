//go:build !windows

package cpu

import "github.com/klauspost/cpuid/v2"

// windowsHas stands in for Windows, which knows more than package cpuid.
func windowsHas(cpuid.FeatureID) bool { return false }
