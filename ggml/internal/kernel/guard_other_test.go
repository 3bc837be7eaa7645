//go:build !unix

package kernel

import "testing"

// guardedBytes returns n zero bytes; there is no guard on this system.
func guardedBytes(t testing.TB, n int) []byte { return make([]byte, n) }
