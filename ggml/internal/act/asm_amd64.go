//go:build !purego

package act

import "mptgo/ggml/internal/act/amd64"

// sortLanes is a variable, since it is called through a table.
var sortLanes = amd64.SortLanes

// What drive.go calls, under the names that the other architecture has for it. The compiler puts
// the kernel in the place of a call.

func quantizeActs(blocks *byte, wide *byte, x *float32, n int) {
	amd64.QuantizeActs(blocks, wide, x, n)
}
