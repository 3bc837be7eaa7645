package sysmem

import "golang.org/x/sys/unix"

// Available returns the memory of the machine, used or not: macOS tells no better
// figure without cgo.
func Available() (l Limit, ok bool) {
	n, err := unix.SysctlUint64("hw.memsize")
	return Limit{int64(n), "in the machine"}, err == nil && n < 1<<62
}
