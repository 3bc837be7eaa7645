//go:build amd64 && !linux

package cpu

// permitTiles reports whether this process may use the tiles of AMX. Other systems than Linux have ways of their
// own to ask, which nobody has tried here.
func permitTiles() bool { return false }
