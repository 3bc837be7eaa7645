//go:build !(linux || darwin || freebsd || windows)

package hub

// freeBytes does not know here.
func freeBytes(string) (int64, bool) { return 0, false }
