//go:build !unix

package kernel

import "testing"

// matGuarded returns n zero bytes; there is no guard on this system.
func matGuarded(t testing.TB, n int) []byte { return make([]byte, n) }
