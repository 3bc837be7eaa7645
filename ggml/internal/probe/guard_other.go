//go:build !unix

package probe

import "testing"

// Bytes returns n zero bytes; there is no guard on this system.
func Bytes(t testing.TB, n int) []byte { return make([]byte, n) }
