//go:build !purego

package cpu

import (
	"testing"

	"github.com/klauspost/cpuid/v2"
)

// TestLeaf reads bits of a CPU that has all of them, up to a last leaf and
// subleaf; beyond these a CPU repeats something else.
func TestLeaf(t *testing.T) {
	cpu := func(last, lastSub uint32) func(leaf, sub uint32) [4]uint32 {
		return func(leaf, sub uint32) [4]uint32 {
			regs := [4]uint32{^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0)}
			switch {
			case leaf == 0:
				regs[eax] = last
			case leaf == 7 && sub == 0:
				regs[eax] = lastSub
			}
			return regs
		}
	}
	for _, f := range features {
		l := f.leaf
		if !l.in(cpu(7, 1)) {
			t.Errorf("%s: not found", f.name)
		}
		if got, want := l.in(cpu(6, 1)), l.leaf < 7; got != want {
			t.Errorf("%s: found %v on a CPU without leaf 7", f.name, got)
		}
		if got, want := l.in(cpu(7, 0)), l.sub == 0; got != want {
			t.Errorf("%s: found %v on a CPU without subleaf 1", f.name, got)
		}
	}
}

// TestUnsaved: a feature of the CPU that programs cannot use is one whose
// registers are not saved, and what programs can use the CPU has.
func TestUnsaved(t *testing.T) {
	for _, f := range features {
		if s := f.state(); s.Usable && !has(f) {
			t.Errorf("%s: usable, but CPUID does not have it", s.Name)
		}
	}
	defer func(old func(cpuid.FeatureID) bool) { usable = old }(usable)
	usable = func(cpuid.FeatureID) bool { return false }
	for _, f := range features {
		if s := f.state(); s.Usable || s.Unsaved != has(f) {
			t.Errorf("%+v: want Unsaved %v", s, has(f))
		}
	}
}
