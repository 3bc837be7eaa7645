//go:build unix && !linux

package cli

import "testing"

// full needs Linux, where the limits of another process can be changed.
func (f *fineTuning) full(t *testing.T) { t.Skip("needs Linux") }
